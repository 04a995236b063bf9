import { expect, test } from 'vitest'
import { codeOf, collect, quiet } from '../contract/content.ts'
import { externalId, openProvisioningSite } from '../support/provisioning-site.ts'

const signal = quiet()

test('a deleted tenant leaves no resources and a receipt that says what was looked for', async () => {
  await using site = await openProvisioningSite()
  site.work()
  const { tenant, berth } = await site.provisioner.ensureBerth(externalId('ada'), { signal })

  const deleted = site.log.next('tenant.deleted')
  await site.provisioner.requestDeletion(externalId('ada'), null)
  await deleted

  expect(await collect(site.folders.list({ signal }))).toEqual([])
  const found = await site.provisioner.find(tenant.id)
  expect(found?.tenant).toMatchObject({ state: 'deleted', externalId: null, receipt: { berthIds: [berth.id] } })
  expect(found?.tenant.receipt?.verifiedAbsent).not.toEqual([])
})

test('a deletion before the sign-up keeps a late sign-up out', async () => {
  await using site = await openProvisioningSite()
  site.work()
  await site.provisioner.requestDeletion(externalId('ada'), { id: 'event-2' })

  const { outcome, berth } = await site.provisioner.signUp(externalId('ada'), { id: 'event-1' })

  expect([outcome, berth]).toEqual(['tombstone', null])
  expect(await codeOf(site.provisioner.ensureBerth(externalId('ada'), { signal }))).toBe('tenant_deleted')
})

test('a tenant deleted while the berth is being made leaves nothing behind', async () => {
  const arrived = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  const fault = async (step: string) => {
    if (step !== 'created') return
    arrived.resolve()
    await goOn.promise
  }
  await using site = await openProvisioningSite({ fault })
  site.work()
  await site.provisioner.signUp(externalId('ada'), null)
  await arrived.promise

  const deleted = site.log.next('tenant.deleted')
  await site.provisioner.requestDeletion(externalId('ada'), null)
  goOn.resolve()
  await deleted

  expect(await collect(site.folders.list({ signal }))).toEqual([])
})

test('a suspended tenant is refused at once, though the berth was remembered', async () => {
  await using site = await openProvisioningSite({ lookupTtlMs: 3_600_000 })
  site.work()
  const { tenant } = await site.provisioner.ensureBerth(externalId('ada'), { signal })

  await site.provisioner.suspend(tenant.id)

  expect(await codeOf(site.provisioner.ensureBerth(externalId('ada'), { signal }))).toBe('tenant_suspended')
  await site.provisioner.resume(tenant.id)
  expect((await site.provisioner.ensureBerth(tenant.id, { signal })).tenant.state).toBe('active')
})

test('a suspension by another process holds once the remembered lookup is too old', async () => {
  await using site = await openProvisioningSite({ lookupTtlMs: 1 })
  site.work()
  const { tenant } = await site.provisioner.ensureBerth(externalId('ada'), { signal })

  await site.store.tenants.setSuspended(tenant.id, true)

  await expect.poll(() => codeOf(site.provisioner.ensureBerth(tenant.id, { signal }))).toBe('tenant_suspended')
})

test('a remembered tenant is found without the store', async () => {
  await using site = await openProvisioningSite({ lookupTtlMs: 3_600_000 })
  site.work()
  const { tenant } = await site.provisioner.ensureBerth(externalId('ada'), { signal })

  await site.store.tenants.setSuspended(tenant.id, true)

  expect((await site.provisioner.ensureBerth(externalId('ada'), { signal })).tenant.id).toBe(tenant.id)
})

test('a deleted tenant cannot be suspended', async () => {
  await using site = await openProvisioningSite()
  const { id } = await site.provisioner.requestDeletion(externalId('ada'), null)

  expect(await codeOf(site.provisioner.suspend(id))).toBe('conflict')
})
