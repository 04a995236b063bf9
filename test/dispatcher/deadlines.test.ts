import { expect, test } from 'vitest'
import { codeOf, quiet } from '../contract/content.ts'
import { ask, hastyClock, openDispatchSite } from '../support/dispatch-site.ts'
import { externalId } from '../support/provisioning-site.ts'
import { aborted, canceledReply, createScriptedDispatch, replyTo } from '../support/scripted-dispatch.ts'

test('a backend that never answers is given up, and the place is free again', async () => {
  let hangs = true
  const dispatch = createScriptedDispatch(({ request }) => (hangs ? new Promise(() => undefined) : replyTo(request)))
  await using site = await openDispatchSite({ dispatch, clock: hastyClock, perTenant: { concurrency: 1, waiting: 0 } })

  expect(await codeOf(site.dispatcher.run(ask()))).toBe('runner_failed')
  hangs = false
  expect((await site.dispatcher.run(ask())).run.status).toBe('succeeded')
})

test('a backend that answers to the late stop gives a run that timed out, with what was captured', async () => {
  const dispatch = createScriptedDispatch(async ({ request, signal }) => {
    await aborted(signal)
    return canceledReply(request)
  })
  await using site = await openDispatchSite({ dispatch, clock: hastyClock })

  const { run } = await site.dispatcher.run(ask())

  expect(run).toMatchObject({ status: 'timed_out', failure: { code: 'timeout' }, logs: { stdout: 'out' } })
})

test('a run that waits for a place too long is refused and leaves the queue', async () => {
  const goOn = Promise.withResolvers<void>()
  const dispatch = createScriptedDispatch(async ({ request }) => {
    await goOn.promise
    return replyTo(request)
  })
  const slow = {
    ...hastyClock,
    sleep: (ms: number, signal: AbortSignal) => hastyClock.sleep(ms === 30_000 ? 1 : 1e9, signal),
  }
  await using site = await openDispatchSite({ dispatch, clock: slow, perTenant: { concurrency: 1, waiting: 1 } })
  const first = site.dispatcher.run(ask())
  // It has the place: of two whose berth is still being made either could come first.
  await expect.poll(() => dispatch.requests.length).toBe(1)

  expect(await codeOf(site.dispatcher.run(ask()))).toBe('queue_full')
  expect(await codeOf(site.dispatcher.run(ask()))).toBe('queue_full')
  goOn.resolve()
  expect((await first).run.status).toBe('succeeded')
  expect(dispatch.requests).toHaveLength(1)
})

test('time in the queue is told apart from time of execution', async () => {
  const goOn = Promise.withResolvers<void>()
  const dispatch = createScriptedDispatch(async ({ request }) => {
    await goOn.promise
    return replyTo(request)
  })
  await using site = await openDispatchSite({ dispatch, perTenant: { concurrency: 1 } })
  await site.provisioner.ensureBerth(externalId('ada'), { signal: quiet() })
  const runs = [site.dispatcher.run(ask()), site.dispatcher.run(ask())]
  await expect.poll(() => dispatch.requests.length).toBe(1)

  goOn.resolve()
  const [first, second] = await Promise.all(runs)

  expect(second?.run.timings.queueMs).toBeGreaterThan(first?.run.timings.queueMs ?? Infinity)
})
