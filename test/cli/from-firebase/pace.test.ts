import { afterAll, beforeAll, expect, test } from 'vitest'
import { createPace } from '../../../src/cli/from-firebase/pace.ts'
import { createVirtualClock } from '../../support/virtual-clock.ts'
import {
  createHurriedClock,
  type Interceptor,
  people,
  person,
  type ReconcileSite,
  startReconcileSite,
} from './reconcile-site.ts'

let site: ReconcileSite
beforeAll(async () => {
  site = await startReconcileSite()
})
afterAll(() => site[Symbol.asyncDispose]())

test('turns are spread over the minute: 60 a minute are one a second, whoever waits for them', async () => {
  const clock = createVirtualClock()
  const turn = createPace(60, clock)
  const { signal } = new AbortController()
  let turns = 0
  for (let waiting = 0; waiting < 100; waiting += 1) void turn(signal).then(() => (turns += 1))
  const after = async (ms: number): Promise<number> => clock.advance(ms).then(() => turns)

  expect([await after(0), await after(999), await after(1), await after(58_999), await after(1)]).toEqual([
    1, 1, 2, 60, 61,
  ])
})

test('time in which nobody asked is not saved up', async () => {
  const clock = createVirtualClock()
  const turn = createPace(60, clock)
  const { signal } = new AbortController()
  await clock.advance(600_000)
  let turns = 0
  for (let waiting = 0; waiting < 3; waiting += 1) void turn(signal).then(() => (turns += 1))

  await clock.advance(0)

  expect(turns).toBe(1)
})

test.each([
  [6, 90_000],
  [60_000, 9],
])(
  'ten users at %i a minute take no less than %i ms; who is there already takes no turn',
  async (perMinute, leastMs) => {
    const project = site.project(people(10))
    const clock = createHurriedClock()

    await project.reconcile({ apply: true, perMinute, clock })
    const tookMs = clock.monotonicMs()
    await project.reconcile({ apply: true, perMinute, clock })

    expect(tookMs).toBeGreaterThanOrEqual(leastMs)
    expect(tookMs).toBeLessThan(leastMs * 2)
    expect(clock.monotonicMs()).toBe(tookMs)
  },
)

test('deletions take their turns as well', async () => {
  const project = site.project([person('kept')])
  for (const { localId } of [person('kept'), ...people(5)]) await project.signUp(localId)
  const clock = createHurriedClock()

  expect(await project.reconcile({ apply: true, deleteGone: true, perMinute: 6, clock })).toMatchObject({
    report: { deleted: 5 },
  })
  expect(clock.monotonicMs()).toBe(40_000)
})

/** The answer to so many requests to make a tenant. */
const refusing = (times: number, status: number, code: string, retryAfter: string): Interceptor => {
  let left = times
  return async ({ method, path }, pass) => {
    if (method !== 'POST' || path !== '/v1/tenants' || left === 0) return pass()
    left -= 1
    return Response.json(
      { type: 'about:blank', title: code, status, code, detail: code, retryable: true },
      { status, headers: { 'Content-Type': 'application/problem+json', 'Retry-After': retryAfter } },
    )
  }
}

test.each([
  [429, 'rate_limited', '90', 90_000],
  [503, 'store_unavailable', '7', 7000],
  [503, 'shutting_down', '0', 500],
])('%i %s with Retry-After %s is waited out', async (status, code, retryAfter, waitMs) => {
  const project = site.project([person('one')])
  const clock = createHurriedClock()

  const { report, stopped } = await project.reconcile({
    apply: true,
    clock,
    intercept: refusing(1, status, code, retryAfter),
  })

  expect([report.created, stopped]).toEqual([1, null])
  expect(clock.slept).toEqual([waitMs])
})

test.each([
  ['a cap', 503, 'berth_cap_reached', '60', 0],
  ['a wait of an hour', 429, 'rate_limited', '3600', 0],
  ['a fault of the caller', 403, 'forbidden', '0', 0],
  ['what does not pass', 503, 'store_unavailable', '1', 7],
])('%s ends it, with what was done until then', async (_name, status, code, retryAfter, waits) => {
  const project = site.project(people(3))
  await project.signUp('user-00001')
  const clock = createHurriedClock()

  const { report, stopped } = await project.reconcile({
    apply: true,
    clock,
    intercept: refusing(Infinity, status, code, retryAfter),
  })

  expect(stopped).toMatchObject({ error: { code } })
  expect(report).toMatchObject({ existing: 1, missing: 2, created: 0 })
  // Two at once were on their way; what is shorter is their turns.
  expect(clock.slept.filter((ms) => ms >= 1000)).toHaveLength(waits * 2)
})

test('an interruption ends it at once, with what was done until then', async () => {
  const project = site.project(people(30))
  const controller = new AbortController()
  const counting: Interceptor = async (_asked, pass) => {
    const response = await pass()
    if (response.status === 201) controller.abort(new DOMException('interrupted', 'AbortError'))
    return response
  }

  const { report, stopped } = await project.reconcile({ apply: true, intercept: counting, signal: controller.signal })

  expect(stopped?.error).toBe(controller.signal.reason)
  expect(report.created).toBeLessThan(30)
})
