import { expect, test } from 'vitest'
import type { Clock } from '../../src/domain/ports/clock.ts'
import { ask, openDispatchSite } from '../support/dispatch-site.ts'
import { clock, externalId } from '../support/provisioning-site.ts'
import { createScriptedDispatch, replyTo } from '../support/scripted-dispatch.ts'

const HOUR_MS = 3_600_000

const jumpy = () => {
  let offMs = 0
  const jumping: Clock = { ...clock, now: () => new Date(clock.now().getTime() + offMs) }
  return { clock: jumping, jump: (ms: number) => void (offMs += ms) }
}

const gated = () => {
  const begun = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  const dispatch = createScriptedDispatch(async ({ request }) => {
    begun.resolve()
    if (dispatch.requests.length === 1) await goOn.promise
    return replyTo(request)
  })
  return { dispatch, begun: begun.promise, goOn: goOn.resolve }
}

test.for([HOUR_MS, -HOUR_MS])('a clock that jumps by %i ms makes no server execute its own run twice', async (ms) => {
  const { clock: jumping, jump } = jumpy()
  const { dispatch, begun, goOn } = gated()
  await using site = await openDispatchSite({ dispatch, clock: jumping, leaseMs: 30_000 })
  site.work()
  const { run, tenantId } = await site.dispatcher.submit(ask())
  await begun

  jump(ms)
  const next = await site.dispatcher.submit(ask({ who: externalId('bob') }))
  await expect.poll(async () => (await site.store.runs.find(next.tenantId, next.run.id))?.run.status).toBe('succeeded')
  goOn()

  await expect.poll(async () => (await site.store.runs.find(tenantId, run.id))?.run.status).toBe('succeeded')
  expect(dispatch.requests.map(({ runId }) => runId)).toEqual([run.id, next.run.id])
})

test('a clock that jumps back gives no negative times', async () => {
  const { clock: jumping, jump } = jumpy()
  await using site = await openDispatchSite({ clock: jumping })
  const { run, tenantId } = await site.dispatcher.submit(ask())

  jump(-HOUR_MS)
  site.work()

  await expect.poll(async () => (await site.store.runs.find(tenantId, run.id))?.run.status).toBe('succeeded')
  const { timings } = (await site.dispatcher.get(tenantId, run.id)).run
  expect(Math.min(...Object.values(timings))).toBeGreaterThanOrEqual(0)
})
