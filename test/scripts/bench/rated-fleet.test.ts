import { expect, test } from 'vitest'
import { createRatedFleet, imageOf, nameAt } from '../../../scripts/bench/rated-fleet.ts'

const SETTLE_MS = 2000

/** A fleet on a clock of the test, asked without HTTP. */
const openFleet = (count = 120) => {
  let ms = 0
  const fleet = createRatedFleet({ count, done: 0, settleMs: SETTLE_MS, clock: { monotonicMs: () => ms } })
  const ask = (method: string, path: string, sent: object = {}) => {
    const body = Buffer.from(JSON.stringify(sent))
    const answer = fleet.answer({ request: { method }, path: `/2015-03-31/functions${path}`, body })
    return { status: answer?.status ?? 200, ...(JSON.parse(answer?.body ?? '{}') as Record<string, unknown>) }
  }
  return {
    fleet,
    ask,
    pass: (by: number) => void (ms += by),
    list: (marker = 0) => ask('GET', `/?Marker=${marker}`),
    get: (index: number) => ask('GET', `/${nameAt(index)}`),
    update: (index: number, RevisionId = 'r0') =>
      ask('PUT', `/${nameAt(index)}/code`, { ImageUri: imageOf(2), RevisionId }),
  }
}

const statuses = (count: number, once: (index: number) => { status: number }) =>
  Array.from({ length: count }, (_, index) => once(index).status)

test('updates and listings share 15 requests a second, and what comes faster is refused as Lambda does it', () => {
  const { list, update, pass, fleet } = openFleet()

  expect([...statuses(10, update), ...statuses(5, list)]).toEqual(Array.from({ length: 15 }, () => 200))
  expect(update(20)).toMatchObject({ status: 429, Reason: 'CallerRateLimitExceeded' })
  pass(1000)
  expect(statuses(16, (index) => update(30 + index)).filter((status) => status === 429)).toHaveLength(1)
  expect(fleet.seen).toEqual({ asked: 32, refused: 2, updates: 25, listings: 5 })
})

test('GetFunction has 100 requests a second of its own', () => {
  const { get, update } = openFleet()
  statuses(15, update)

  expect(statuses(101, get).filter((status) => status === 429)).toHaveLength(1)
})

test('a function takes one change at a time, from its present revision', () => {
  const { update, get, pass, fleet } = openFleet()

  expect(update(3).status).toBe(200)
  expect(update(3, 'r1').status).toBe(409)
  expect(get(3)).toMatchObject({ Configuration: { LastUpdateStatus: 'InProgress' } })
  expect(fleet.running(2)).toBe(0)
  pass(SETTLE_MS)
  expect(update(3, 'r0').status).toBe(412)
  expect(get(3)).toMatchObject({
    Configuration: { LastUpdateStatus: 'Successful', RevisionId: 'r1' },
    Code: { ResolvedImageUri: imageOf(2) },
  })
  expect(fleet.running(2)).toBe(1)
})

test('a listing comes in pages of 50, with a hash for each code', () => {
  const { list } = openFleet()
  const pages = [list(0), list(50), list(100)] as unknown as { Functions: object[]; NextMarker?: string }[]

  expect(pages.map(({ Functions, NextMarker }) => [Functions.length, NextMarker])).toEqual([
    [50, '50'],
    [50, '100'],
    [20, undefined],
  ])
  expect(pages[2]?.Functions.at(-1)).toEqual({
    FunctionName: nameAt(119),
    CodeSha256: imageOf(1).slice(-64),
    RevisionId: 'r0',
  })
})

test('a function that is not there is not found, and what is not Lambda’s is left to others', () => {
  const { ask, fleet } = openFleet(1)

  expect(ask('GET', `/${nameAt(1)}`).status).toBe(404)
  expect(fleet.answer({ request: { method: 'GET' }, path: '/', body: Buffer.alloc(0) })).toBeNull()
})
