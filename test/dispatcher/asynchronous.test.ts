import { expect, test } from 'vitest'
import type { RunId, TenantId } from '../../src/domain/ids.ts'
import { BerthError } from '../../src/domain/errors.ts'
import { codeOf, collect, quiet } from '../contract/content.ts'
import { ask, type DispatchSite, hastyClock, openDispatchSite } from '../support/dispatch-site.ts'
import { aborted, canceledReply, createScriptedDispatch, replyTo } from '../support/scripted-dispatch.ts'

const ended = async (site: DispatchSite, tenantId: TenantId, runId: RunId) => {
  const events = await collect(site.dispatcher.events(tenantId, runId, { lastEventId: null, signal: quiet() }))
  const last = events.at(-1)
  if (last?.type !== 'run.completed') throw new Error('expected the end of the run')
  return last.data
}

const hanging = () => {
  const begun = Promise.withResolvers<void>()
  const dispatch = createScriptedDispatch(async ({ request, signal }) => {
    begun.resolve()
    await aborted(signal)
    return canceledReply(request)
  })
  return { dispatch, begun: begun.promise }
}

test('a submitted run is durable and queued when it is answered, and executed behind it', async () => {
  await using site = await openDispatchSite()
  const { run, tenantId } = await site.dispatcher.submit(ask())
  expect((await site.store.runs.find(tenantId, run.id))?.run.status).toBe('queued')

  site.work()

  expect(await ended(site, tenantId, run.id)).toMatchObject({
    id: run.id,
    status: 'succeeded',
    logs: { stdout: 'out' },
  })
})

test('output is told while the run goes on', async () => {
  const goOn = Promise.withResolvers<void>()
  const dispatch = createScriptedDispatch(async ({ request, onOutput }) => {
    onOutput?.('stdout', 'ou')
    await goOn.promise
    return replyTo(request)
  })
  await using site = await openDispatchSite({ dispatch })
  site.work()
  const { run, tenantId } = await site.dispatcher.submit(ask())

  const texts: string[] = []
  for await (const event of site.dispatcher.events(tenantId, run.id, { lastEventId: null, signal: quiet() })) {
    if (event.type === 'stdout') texts.push(event.data.text)
    if (event.type === 'stdout') goOn.resolve()
  }

  expect(texts).toEqual(['ou', 't'])
})

test('a synchronous run tells its events before it answers', async () => {
  await using site = await openDispatchSite()
  const types: string[] = []

  await site.dispatcher.run(ask({ onEvent: ({ type }) => void types.push(type) }))

  expect(types).toEqual(['run.created', 'run.started', 'stdout', 'stderr', 'result', 'run.completed'])
})

test('a canceled run ends as canceled with what was captured', async () => {
  const { dispatch, begun } = hanging()
  await using site = await openDispatchSite({ dispatch })
  site.work()
  const { run, tenantId } = await site.dispatcher.submit(ask())
  await begun

  await site.dispatcher.cancel(tenantId, run.id)

  expect(await ended(site, tenantId, run.id)).toMatchObject({ status: 'canceled', logs: { stdout: 'out' } })
})

test('a cancel that comes to another server arrives too', async () => {
  const { dispatch, begun } = hanging()
  await using site = await openDispatchSite({ dispatch })
  site.work()
  const { run, tenantId } = await site.dispatcher.submit(ask())
  await begun

  await site.another().cancel(tenantId, run.id)

  expect((await ended(site, tenantId, run.id)).status).toBe('canceled')
})

test('a queued run that is canceled is never executed', async () => {
  await using site = await openDispatchSite()
  const { run, tenantId } = await site.dispatcher.submit(ask())
  await site.dispatcher.cancel(tenantId, run.id)

  const other = await site.dispatcher.submit(ask())
  site.work()
  await ended(site, tenantId, other.run.id)

  expect(site.dispatch.requests.map(({ runId }) => runId)).toEqual([other.run.id])
})

test('a run that has ended cannot be canceled', async () => {
  await using site = await openDispatchSite()
  site.work()
  const { run, tenantId } = await site.dispatcher.submit(ask())
  await ended(site, tenantId, run.id)

  expect(await codeOf(site.dispatcher.cancel(tenantId, run.id))).toBe('conflict')
})

test('a run that a dead process had leased is executed by another', async () => {
  await using site = await openDispatchSite()
  const { run, tenantId } = await site.dispatcher.submit(ask())
  const past = new Date(Date.parse(run.createdAt) - 1)
  await site.store.runs.lease({ lease: { owner: 'dead', until: past }, limit: 1, now: new Date(run.createdAt) })

  site.work()

  expect((await ended(site, tenantId, run.id)).status).toBe('succeeded')
})

/** Processes lease the run, start it, and are never heard of again. */
const dieUnder = async (site: DispatchSite, runId: RunId, deaths: number): Promise<void> => {
  const lease = { owner: 'dead', until: new Date(0) }
  for (let death = 0; death < deaths; death += 1) {
    const [leased] = await site.store.runs.lease({ lease, limit: 1, now: new Date() })
    if (leased) await site.store.runs.settle(runId, lease, { ...leased, run: { ...leased.run, status: 'running' } })
  }
}

test('a run whose processes died nine times is executed by the next', async () => {
  await using site = await openDispatchSite()
  const { run, tenantId } = await site.dispatcher.submit(ask())
  await dieUnder(site, run.id, 9)

  site.work()

  expect((await ended(site, tenantId, run.id)).status).toBe('succeeded')
})

test('a run whose processes died ten times ends as system_error', async () => {
  await using site = await openDispatchSite()
  const { run, tenantId } = await site.dispatcher.submit(ask())
  await dieUnder(site, run.id, 10)

  site.work()

  expect(await ended(site, tenantId, run.id)).toMatchObject({
    status: 'system_error',
    failure: { code: 'runner_failed', detail: 'the process that executed it died, 10 times' },
  })
  expect(site.dispatch.requests).toEqual([])
})

test('a backend that is away for a moment does not cost the run', async () => {
  let first = true
  const dispatch = createScriptedDispatch(({ request }) => {
    if (!first) return replyTo(request)
    first = false
    throw new BerthError('backend_unavailable', 'away')
  })
  await using site = await openDispatchSite({ dispatch, clock: hastyClock, leaseMs: 30_000 })
  site.work()
  const { run, tenantId } = await site.dispatcher.submit(ask())
  await expect.poll(() => site.log.codes()).toContain('run.handed_back')

  // That is told before it is written, and the next try is five seconds away.
  await expect
    .poll(async () => (await site.store.runs.find(tenantId, run.id))?.run)
    .toMatchObject({ status: 'queued', failure: null })
  expect((await ended(site, tenantId, run.id)).status).toBe('succeeded')
})

test('more waiting runs than a tenant may have are refused', async () => {
  await using site = await openDispatchSite({ perTenant: { queued: 2 } })
  await site.dispatcher.submit(ask())
  await site.dispatcher.submit(ask())

  expect(await codeOf(site.dispatcher.submit(ask()))).toBe('queue_full')
})

test('a suspended tenant has queued runs ended with the reason', async () => {
  await using site = await openDispatchSite()
  const { run, tenantId } = await site.dispatcher.submit(ask())
  await site.provisioner.suspend(tenantId)

  site.work()

  expect((await ended(site, tenantId, run.id)).failure?.code).toBe('tenant_suspended')
})
