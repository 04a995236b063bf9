import { expect, test } from 'vitest'
import { codeOf } from '../contract/content.ts'
import { ask, openDispatchSite } from '../support/dispatch-site.ts'
import { aborted, canceledReply, createScriptedDispatch, replyTo } from '../support/scripted-dispatch.ts'

const gated = () => {
  const begun = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  const dispatch = createScriptedDispatch(async ({ request }) => {
    begun.resolve()
    await goOn.promise
    return replyTo(request)
  })
  return { dispatch, begun: begun.promise, goOn: goOn.resolve }
}

test('a stopping server finishes what runs and takes nothing new', async () => {
  const { dispatch, begun, goOn } = gated()
  await using site = await openDispatchSite({ dispatch, drainMs: 60_000 })
  const stop = site.work()
  const running = site.dispatcher.run(ask())
  await begun

  const stopped = stop()
  await expect.poll(() => codeOf(site.dispatcher.run(ask({ signal: AbortSignal.abort() })))).toBe('shutting_down')
  goOn()

  const { run, tenantId } = await running
  await stopped
  expect(run.status).toBe('succeeded')
  expect((await site.store.runs.find(tenantId, run.id))?.run.status).toBe('succeeded')
})

test('a synchronous run that does not end in time is stopped and told why', async () => {
  const begun = Promise.withResolvers<void>()
  const dispatch = createScriptedDispatch(async ({ request, signal }) => {
    begun.resolve()
    await aborted(signal)
    return canceledReply(request)
  })
  await using site = await openDispatchSite({ dispatch, drainMs: 1 })
  const stop = site.work()
  const running = codeOf(site.dispatcher.run(ask()))
  await begun.promise

  await stop()

  expect(await running).toBe('shutting_down')
})

test('an asynchronous run that does not end in time is handed back and executed by the next server', async () => {
  const begun = Promise.withResolvers<void>()
  const dispatch = createScriptedDispatch(async ({ request, signal }) => {
    begun.resolve()
    await aborted(signal)
    return canceledReply(request)
  })
  await using site = await openDispatchSite({ dispatch, drainMs: 1, leaseMs: 3_600_000 })
  const stop = site.work()
  const { run, tenantId } = await site.dispatcher.submit(ask())
  await begun.promise
  await stop()
  expect((await site.store.runs.find(tenantId, run.id))?.run).toMatchObject({ status: 'queued', failure: null })

  dispatch.answer = ({ request }) => replyTo(request)
  site.work(site.another())

  await expect.poll(async () => (await site.store.runs.find(tenantId, run.id))?.run.status).toBe('succeeded')
})

test('who waits for a place is told at once', async () => {
  const { dispatch, begun, goOn } = gated()
  await using site = await openDispatchSite({ dispatch, drainMs: 60_000, perTenant: { concurrency: 1 } })
  const stop = site.work()
  const running = site.dispatcher.run(ask())
  await begun
  const waiting = codeOf(site.dispatcher.run(ask()))

  const stopped = stop()

  expect(await waiting).toBe('shutting_down')
  goOn()
  await Promise.all([running, stopped])
})

test('a run with a key that does not end in time is executed later, and the key then answers with it', async () => {
  const begun = Promise.withResolvers<void>()
  const dispatch = createScriptedDispatch(async ({ request, signal }) => {
    begun.resolve()
    await aborted(signal)
    return canceledReply(request)
  })
  await using site = await openDispatchSite({ dispatch, drainMs: 1, leaseMs: 3_600_000 })
  const stop = site.work()
  const idempotency = { key: 'key-1', requestHash: 'hash-1' }
  const first = codeOf(site.dispatcher.run(ask({ idempotency })))
  await begun.promise
  await stop()
  expect(await first).toBe('shutting_down')

  dispatch.answer = ({ request }) => replyTo(request)
  const next = site.another()
  site.work(next)

  await expect.poll(() => codeOf(next.run(ask({ idempotency })))).toBe('no error')
  expect(await next.run(ask({ idempotency }))).toMatchObject({ replayed: true, run: { status: 'succeeded' } })
})

test('a run with a key that becomes durable while the server stops is left to the next one', async () => {
  const arrived = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  await using site = await openDispatchSite({
    leaseMs: 3_600_000,
    faultyRuns: (runs) => ({
      ...runs,
      insert: async (options) => {
        arrived.resolve()
        await goOn.promise
        return runs.insert(options)
      },
    }),
  })
  const stop = site.work()
  const running = codeOf(site.dispatcher.run(ask({ idempotency: { key: 'key-1', requestHash: 'hash-1' } })))
  await arrived.promise
  await stop()

  goOn.resolve()

  expect(await running).toBe('shutting_down')
  expect(site.dispatch.requests).toEqual([])
  site.work(site.another())
  await expect.poll(() => site.dispatch.requests.length).toBe(1)
})
