import { expect, test } from 'vitest'
import { codeOf, quiet } from '../contract/content.ts'
import { ask, openDispatchSite } from '../support/dispatch-site.ts'
import { externalId, ids } from '../support/provisioning-site.ts'
import { aborted, canceledReply, createScriptedDispatch } from '../support/scripted-dispatch.ts'

/** Runs until it is told to stop. */
const endless = () => {
  const begun = Promise.withResolvers<void>()
  const dispatch = createScriptedDispatch(async ({ request, signal }) => {
    begun.resolve()
    await aborted(signal)
    return canceledReply(request)
  })
  return { dispatch, begun: begun.promise }
}

test('a run whose tenant is deleted ends at once, and nothing of it stays', async () => {
  const { dispatch, begun } = endless()
  await using site = await openDispatchSite({ dispatch })
  const running = codeOf(site.dispatcher.run(ask()))
  await begun
  const deleted = site.log.next('tenant.deleted')

  const { id } = await site.provisioner.requestDeletion(externalId('ada'), null)

  expect(await running).toBe('tenant_deleted')
  await deleted
  const page = await site.dispatcher.list({ tenantId: id, status: null, cursor: null, limit: 10 })
  expect(page.entries).toEqual([])
})

test('a suspended tenant loses what runs and what waits, and nobody else does', async () => {
  const { dispatch, begun } = endless()
  await using site = await openDispatchSite({ dispatch, drainMs: 1, perTenant: { concurrency: 1 } })
  site.work()
  const { tenant } = await site.provisioner.ensureBerth(externalId('ada'), { signal: quiet() })
  const { run } = await site.dispatcher.submit(ask())
  await begun
  const waiting = codeOf(site.dispatcher.run(ask()))
  const other = await site.dispatcher.submit(ask({ who: externalId('bob') }))
  await expect.poll(() => dispatch.requests.length).toBe(2)

  await site.provisioner.suspend(tenant.id)

  expect(await waiting).toBe('tenant_suspended')
  await expect
    .poll(async () => (await site.store.runs.find(tenant.id, run.id))?.run)
    .toMatchObject({ status: 'canceled', failure: { code: 'tenant_suspended' } })
  expect((await site.store.runs.find(other.tenantId, other.run.id))?.run.status).toBe('running')
})

test('a suspension by another server reaches the runs of this one', async () => {
  const { dispatch, begun } = endless()
  await using site = await openDispatchSite({ dispatch })
  site.work()
  const { tenant } = await site.provisioner.ensureBerth(externalId('ada'), { signal: quiet() })
  const running = codeOf(site.dispatcher.run(ask()))
  await begun

  await site.store.tenants.setSuspended(tenant.id, true)

  expect(await running).toBe('tenant_suspended')
  expect(await codeOf(site.dispatcher.run(ask()))).toBe('tenant_suspended')
})

test('a deletion by another server reaches the runs of this one', async () => {
  const { dispatch, begun } = endless()
  await using site = await openDispatchSite({ dispatch })
  site.work()
  const running = codeOf(site.dispatcher.run(ask()))
  await begun

  const deletion = { externalId: externalId('ada'), event: null, newTenantId: ids.tenantId(), now: new Date() }
  await site.store.tenants.requestDeletion(deletion)

  expect(await running).toBe('tenant_deleted')
})
