import { expect, test } from 'vitest'
import type { BerthRuns } from '../../src/domain/ports/store.ts'
import { recentRuns } from '../../src/rollout/recent-runs.ts'
import { quiet } from '../contract/content.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'
import { berthAt, openRolloutSite } from './scripted-fleet.ts'

const MINUTE = 60_000

interface Ran {
  readonly index: number
  /** Before now. */
  readonly minutesAgo: number
  readonly runs?: number
}

/** A store with these runs, which remembers how far back it was asked to look, in minutes. */
const openStore = (ran: readonly Ran[]) => {
  const clock = createVirtualClock()
  const nowMs = clock.now().getTime()
  const asked: number[] = []
  const runsSince = async (since: Date): Promise<readonly BerthRuns[]> => {
    asked.push((nowMs - since.getTime()) / MINUTE)
    return ran
      .map(({ index, minutesAgo, runs = 1 }) => ({
        berthId: berthAt(index),
        runs,
        platformFailures: 0,
        lastAt: new Date(nowMs - minutesAgo * MINUTE),
      }))
      .filter(({ lastAt }) => lastAt >= since)
  }
  const activity = { canaries: async () => [], suspended: async () => [], runsSince }
  return { asked, activity, clock }
}

const members = Array.from({ length: 10 }, (_, index) => ({ berthId: berthAt(index) }))
const seenBy = async (store: ReturnType<typeof openStore>) =>
  (await recentRuns(store, members, quiet())).map(({ berthId }) => members.findIndex((one) => one.berthId === berthId))

test('where half of the fleet ran lately, nobody looks further back', async () => {
  const store = openStore([0, 1, 2, 3, 4, 5].map((index) => ({ index, minutesAgo: index === 5 ? 300 : 5 })))

  expect(await seenBy(store)).toEqual([0, 1, 2, 3, 4])
  expect(store.asked).toEqual([10])
})

test('where few tenants run very much, nobody counts it all', async () => {
  const store = openStore([
    { index: 0, minutesAgo: 30, runs: 200_000 },
    { index: 1, minutesAgo: 5000, runs: 200_000_000 },
  ])

  expect(await seenBy(store)).toEqual([0])
  expect(store.asked).toEqual([10, 60])
})

test('where hardly anybody runs, all that is kept is looked at', async () => {
  const store = openStore([{ index: 3, minutesAgo: 20_000 }])

  expect(await seenBy(store)).toEqual([3])
  expect(store.asked.slice(0, -1)).toEqual([10, 60, 360, 2160, 12_960])
})

test('runs in berths of other cells are no sign that this one was seen', async () => {
  const store = openStore([
    { index: 3, minutesAgo: 20 },
    ...[50, 51, 52, 53, 54].map((index) => ({ index, minutesAgo: 1 })),
  ])

  expect(await seenBy(store)).toContain(3)
})

test('the waves go by it: who ran last is first in the ring', async () => {
  const { activity } = openStore([
    { index: 90, minutesAgo: 3 },
    { index: 150, minutesAgo: 2, runs: 100_000 },
  ])
  const site = openRolloutSite(200, { activity })

  await site.roll()

  expect(site.updates.slice(0, 2).map(({ berthId }) => berthId)).toEqual([berthAt(150), berthAt(90)])
})
