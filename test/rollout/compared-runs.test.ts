import { expect, test } from 'vitest'
import type { BerthId } from '../../src/domain/ids.ts'
import type { BerthRuns } from '../../src/domain/ports/store.ts'
import { berthAt, openRolloutSite, v2 } from './scripted-fleet.ts'

const canary = berthAt(0)
const runsOf = (berthId: BerthId, runs: number, failed: boolean, lastAtMs = 1): BerthRuns => ({
  berthId,
  runs,
  platformFailures: failed ? runs : 0,
  lastAt: new Date(lastAtMs),
})
const activityOf = (rows: () => readonly BerthRuns[], canaries: readonly BerthId[] = [canary]) => ({
  canaries: async () => canaries,
  runsSince: async () => rows(),
})

const oneAlone = () => [runsOf(berthAt(1), 1000, true)]

test('one tenant who alone runs code while the others of the ring rest cannot halt the rollout of all', async () => {
  expect(await openRolloutSite(200, { activity: activityOf(oneAlone) }).roll()).toMatchObject({ state: 'done' })
  // Control: where no canary vouches for the image, it would.
  const believed = await openRolloutSite(200, { activity: activityOf(oneAlone, []) }).roll()
  expect(believed).toMatchObject({ state: 'halted' })
})

test('one tenant whose runs fail on the old image does not hide an image that fails the runs of everybody', async () => {
  const site = openRolloutSite(200, {
    activity: activityOf(() =>
      Array.from({ length: 40 }, (_, index) => berthAt(index + 1)).map((berthId, index) => {
        const hostile = index === 39
        const failed = hostile || site.images.get(berthId) === v2.image
        return runsOf(berthId, hostile ? 1_000_000 : 20, failed, 1000 - index)
      }),
    ),
  })

  expect(await site.roll()).toMatchObject({ state: 'halted', updated: 6 })
})

test('runs that fail in another cell do not hide an image that fails the runs of this one', async () => {
  const away = Array.from({ length: 50 }, (_, index) => runsOf(berthAt(1000 + index), 20, true))
  const site = openRolloutSite(200, {
    activity: activityOf(() => [
      ...[...site.images].flatMap(([berthId, image]) => (image === v2.image ? [runsOf(berthId, 20, true)] : [])),
      ...away,
    ]),
  })

  expect(await site.roll()).toMatchObject({ state: 'halted', updated: 6 })
})

test('a rollout that was cut off counts the runs of those whom it had brought before', async () => {
  const site = openRolloutSite(200, {
    activity: activityOf(() =>
      Array.from({ length: 20 }, (_, index) => berthAt(index + 1)).map((berthId, index) =>
        runsOf(berthId, 20, site.images.get(berthId) === v2.image, 1000 - index),
      ),
    ),
  })
  for (let index = 0; index <= 5; index += 1) site.images.set(berthAt(index), v2.image)

  const report = await site.roll()

  expect(report).toMatchObject({ state: 'halted', updated: 0 })
})
