import { array, assert, asyncProperty, constantFrom, integer, record } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createPacer, type Priority } from '../../src/aws/pacer.ts'
import { awsRates } from '../../src/aws/pacer-rates.ts'
import { quiet } from '../contract/content.ts'
import { createVirtualClock, type VirtualClock } from '../support/virtual-clock.ts'

const rate = awsRates.lambda
const LAMBDA_ALLOWS = 15

interface Grant {
  readonly atMs: number
  readonly cost: number
  readonly name: string
}

/** Notes when each request was let go. */
const createRecorder = (clock: VirtualClock, rates: Parameters<typeof createPacer>[0]['rates'] = {}) => {
  const pacer = createPacer({ clock, rates })
  const grants: Grant[] = []
  const ask = (options: { priority?: Priority; cost?: number; signal?: AbortSignal; name?: string } = {}) => {
    const { priority = 'signUp', cost = 1, signal = quiet(), name = priority } = options
    return pacer
      .take('lambda', { priority, cost, signal })
      .then(() => void grants.push({ atMs: clock.monotonicMs(), cost, name }))
  }
  return { pacer, grants, ask, names: () => grants.map(({ name }) => name) }
}

/** The most requests that left within any span of that length. */
const mostWithin = (grants: readonly Grant[], spanMs: number): number =>
  Math.max(
    0,
    ...grants.map(({ atMs }) =>
      grants
        .filter((other) => other.atMs >= atMs && other.atMs < atMs + spanMs)
        .reduce((sum, { cost }) => sum + cost, 0),
    ),
  )

describe('a pool', () => {
  test('lets no more go in any span of time than its budget, and uses nearly all of it', async () => {
    const arrivals = array(record({ afterMs: integer({ min: 0, max: 400 }), cost: constantFrom(1, 1, 2, 3) }), {
      minLength: 1,
      maxLength: 60,
    })
    await assert(
      asyncProperty(arrivals, async (requests) => {
        const clock = createVirtualClock()
        const { grants, ask } = createRecorder(clock)
        for (const { afterMs, cost } of requests) {
          await clock.advance(afterMs)
          void ask({ cost })
        }
        await clock.advance(60_000)

        expect(grants).toHaveLength(requests.length)
        const largest = Math.max(rate.burst, ...requests.map(({ cost }) => cost)) + (rate.late ?? 0)
        for (const spanMs of [100, 1000, 5000])
          expect(mostWithin(grants, spanMs)).toBeLessThanOrEqual(largest + (rate.perSecond * spanMs) / 1000)
      }),
      { numRuns: 40 },
    )
  })

  test('never sends more than the 15 requests that Lambda allows in one second', async () => {
    const clock = createVirtualClock()
    const { grants, ask } = createRecorder(clock)
    for (let index = 0; index < 300; index += 1) void ask()

    await clock.advance(30_000)

    expect(grants).toHaveLength(300)
    expect(mostWithin(grants, 1000)).toBeLessThanOrEqual(15)
  })

  test('is used by at least nine tenths as long as somebody waits', async () => {
    const clock = createVirtualClock()
    const { grants, ask } = createRecorder(clock)
    for (let index = 0; index < 1000; index += 1) void ask({ cost: 3 })

    await clock.advance(60_000)

    const used = grants.reduce((sum, { cost }) => sum + cost, 0)
    expect(used / (rate.perSecond * 60)).toBeGreaterThan(0.9)
  })

  test.each([
    ['are made up for', {}, { least: 0.95, most: 1 }],
    [
      'cost a third of the pace where they are not (control)',
      { lambda: { perSecond: 14.9, burst: 1 } },
      { least: 0, most: 0.7 },
    ],
  ])('timers that fire late %s', async (_, rates, share) => {
    const time = createVirtualClock()
    let turn = 0
    const late: VirtualClock = { ...time, sleep: (ms, signal) => time.sleep(ms + 20 + 20 * (turn++ % 3), signal) }
    const { grants, ask } = createRecorder(late, rates)
    for (let index = 0; index < 1500; index += 1) void ask()

    await time.advance(60_000)

    expect(grants.length / (LAMBDA_ALLOWS * 60)).toBeGreaterThan(share.least)
    expect(grants.length / (LAMBDA_ALLOWS * 60)).toBeLessThan(share.most)
    // One more at most than in a second of punctual timers.
    expect(mostWithin(grants, 1000)).toBeLessThanOrEqual(LAMBDA_ALLOWS + 1)
    expect(mostWithin(grants, 10_000)).toBeLessThanOrEqual(LAMBDA_ALLOWS * 10)
  })

  test('spreads requests evenly instead of letting a second’s worth go at once', async () => {
    const clock = createVirtualClock()
    const { grants, ask } = createRecorder(clock)
    for (let index = 0; index < 50; index += 1) void ask()

    await clock.advance(10_000)

    expect(mostWithin(grants, 60)).toBe(1)
  })

  test('saves up no more than its burst while nobody asks', async () => {
    const clock = createVirtualClock()
    const { grants, ask } = createRecorder(clock)
    await clock.advance(3_600_000)
    for (let index = 0; index < 20; index += 1) void ask()

    await clock.advance(60)

    expect(grants).toHaveLength(1)
  })

  test('does not count against another pool', async () => {
    const clock = createVirtualClock()
    const { pacer, ask } = createRecorder(clock)
    for (let index = 0; index < 20; index += 1) void ask()

    await pacer.take('getFunction', { priority: 'rollout', signal: quiet() })

    expect(clock.monotonicMs()).toBe(0)
  })
})

describe('who goes first', () => {
  test('a user who waits goes before sign-ups, and these before a rollout, each by age', async () => {
    const clock = createVirtualClock()
    const { ask, names } = createRecorder(clock)
    void ask({ name: 'first' })
    void ask({ priority: 'rollout', name: 'rollout 1' })
    void ask({ priority: 'signUp', name: 'sign-up 1' })
    void ask({ priority: 'rollout', name: 'rollout 2' })
    void ask({ priority: 'waiting', name: 'user 1' })
    void ask({ priority: 'signUp', name: 'sign-up 2' })
    void ask({ priority: 'waiting', name: 'user 2' })

    await clock.advance(5000)

    expect(names()).toEqual(['first', 'user 1', 'user 2', 'sign-up 1', 'sign-up 2', 'rollout 1', 'rollout 2'])
  })

  test('a user who waits overtakes a dear request that is still saving up', async () => {
    const clock = createVirtualClock()
    const { ask, names } = createRecorder(clock)
    void ask({ name: 'first' })
    void ask({ priority: 'rollout', cost: 10, name: 'dear' })
    await clock.advance(100)
    void ask({ priority: 'waiting', name: 'user' })

    await clock.advance(5000)

    expect(names()).toEqual(['first', 'user', 'dear'])
  })
})

test('a rollout beside sign-ups uses what these leave, and both together at least 95 % of what Lambda allows', async () => {
  const clock = createVirtualClock()
  const { grants, ask } = createRecorder(clock)
  for (let index = 0; index < 1500; index += 1) void ask({ priority: 'rollout' })
  const waits: number[] = []
  for (let index = 0; index < 120; index += 1) {
    const askedMs = clock.monotonicMs()
    void ask({ priority: 'signUp', cost: 3 }).then(() => waits.push(clock.monotonicMs() - askedMs))
    await clock.advance(500)
  }

  const used = grants.reduce((sum, { cost }) => sum + cost, 0)
  expect(used / (LAMBDA_ALLOWS * 60)).toBeGreaterThan(0.95)
  expect(mostWithin(grants, 1000)).toBeLessThanOrEqual(LAMBDA_ALLOWS)
  expect(waits).toHaveLength(120)
  // No sign-up waits for more than what it costs itself and the one request that went just before it.
  expect(Math.max(...waits)).toBeLessThanOrEqual((4 / rate.perSecond) * 1000 + 10)
})

describe('a request that is given up', () => {
  test('ends with the reason and takes nobody’s turn', async () => {
    const clock = createVirtualClock()
    const { ask, names } = createRecorder(clock)
    const stop = new AbortController()
    void ask({ name: 'first' })
    const given = ask({ cost: 15, signal: stop.signal, name: 'given up' })
    void ask({ name: 'next' })
    await clock.advance(10)

    stop.abort(new Error('no longer wanted'))

    await expect(given).rejects.toThrow('no longer wanted')
    await clock.advance(80)
    expect(names()).toEqual(['first', 'next'])
  })

  test('is refused when it was given up before it asked', async () => {
    const { ask } = createRecorder(createVirtualClock())

    await expect(ask({ signal: AbortSignal.abort(new Error('too late')) })).rejects.toThrow('too late')
  })
})

const busy = async (clock: VirtualClock, refusals: number) => {
  const recorder = createRecorder(clock)
  for (let index = 0; index < 3000; index += 1) void recorder.ask()
  await clock.advance(5000)
  for (let index = 0; index < refusals; index += 1) {
    recorder.pacer.rejected('lambda')
    await clock.advance(1001)
  }
  return recorder
}
const rateOver = async (clock: VirtualClock, grants: readonly Grant[], spanMs: number) => {
  const before = grants.length
  await clock.advance(spanMs)
  return ((grants.length - before) / spanMs) * 1000
}

describe('a refusal by AWS', () => {
  test('slows the pool down, more with each, and never to a stop', async () => {
    const once = createVirtualClock()
    const afterOne = await rateOver(once, (await busy(once, 1)).grants, 2000)
    const often = createVirtualClock()
    const afterMany = await rateOver(often, (await busy(often, 30)).grants, 2000)

    expect(afterOne).toBeLessThan(rate.perSecond * 0.8)
    expect(afterMany).toBeLessThan(afterOne / 2)
    expect(afterMany).toBeGreaterThan(rate.perSecond * 0.05)
  })

  test('counts once for all requests that were under way together', async () => {
    const clock = createVirtualClock()
    const { pacer, grants } = await busy(clock, 0)
    for (let index = 0; index < 20; index += 1) pacer.rejected('lambda')

    expect(await rateOver(clock, grants, 2000)).toBeGreaterThan(rate.perSecond * 0.6)
  })

  test('is forgotten after a minute without another', async () => {
    const clock = createVirtualClock()
    const { grants } = await busy(clock, 10)
    await clock.advance(60_000)

    expect(await rateOver(clock, grants, 10_000)).toBeGreaterThan(rate.perSecond * 0.95)
  })
})
