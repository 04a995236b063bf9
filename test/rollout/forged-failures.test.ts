import { expect, test } from 'vitest'
import type { BerthId } from '../../src/domain/ids.ts'
import { berthAt, countOf, openRolloutSite, v1, v2 } from './scripted-fleet.ts'

const canary = berthAt(0)
const hostile = new Set([berthAt(1), berthAt(2)])

interface Making {
  readonly canaries?: readonly BerthId[]
  /** Whose runs fail, all of them, on whatever image. */
  readonly fails?: (berthId: BerthId) => boolean
}

/** Twenty tenants run code; those who are hostile most of all, and first in the ring. */
const activityOf = ({ canaries = [canary], fails = () => false }: Making) => ({
  canaries: async () => canaries,
  runsSince: async () =>
    Array.from({ length: 20 }, (_, index) => berthAt(index + 1)).map((berthId, index) => {
      const runs = hostile.has(berthId) ? 10_000 : 10
      return { berthId, runs, platformFailures: fails(berthId) ? runs : 0, lastAt: new Date(1_000_000 - index) }
    }),
})
const examinedBad = (bad: (berthId: BerthId) => boolean) => (berthId: BerthId, image: string) =>
  image !== v2.image || !bad(berthId)

test('tenants who fail their own runs on purpose do not halt the rollout of all', async () => {
  const activity = activityOf({ fails: (berthId) => hostile.has(berthId) })

  expect(await openRolloutSite(200, { activity }).roll()).toMatchObject({ state: 'done' })
  // Control: believed like everybody else's, they would halt it.
  const believed = await openRolloutSite(200, { activity: { ...activity, canaries: async () => [] } }).roll()
  expect(believed).toMatchObject({ state: 'halted', reason: expect.stringContaining('runs on the new image') })
})

test('tenants who spoil their own self-test do not halt the rollout of all', async () => {
  const examined = examinedBad((berthId) => hostile.has(berthId))

  expect(await openRolloutSite(200, { activity: activityOf({}), examined }).roll()).toMatchObject({ state: 'done' })
})

test('control: without canaries that are well, the same tenants would be believed', async () => {
  const examined = examinedBad((berthId) => hostile.has(berthId))

  const report = await openRolloutSite(200, { activity: activityOf({ canaries: [] }), examined }).roll()

  expect(report).toMatchObject({ state: 'halted', reason: expect.stringContaining('self-test of 2 of 5') })
})

test('an image that fails the runs of everybody is stopped, although the canaries are well', async () => {
  const bad = openRolloutSite(200, {
    activity: {
      ...activityOf({}),
      // Only those who have the image fail.
      runsSince: async () =>
        Array.from({ length: 20 }, (_, index) => berthAt(index + 1)).map((berthId) => {
          const failed = bad.images.get(berthId) === v2.image
          return { berthId, runs: 20, platformFailures: failed ? 20 : 0, lastAt: new Date(1) }
        }),
    },
  })

  const report = await bad.roll({ onUnhealthy: 'roll_back' })

  expect(report).toMatchObject({ state: 'rolled_back', reason: expect.stringContaining('runs on the new image') })
  expect(bad.updates.filter(({ image }) => image === v2.image)).toHaveLength(6)
  expect(countOf(bad, v1)).toBe(200)
})

test('an image that fails on the canaries reaches no tenant', async () => {
  const site = openRolloutSite(200, {
    activity: activityOf({}),
    examined: examinedBad((berthId) => berthId === canary),
  })

  expect(await site.roll()).toMatchObject({ state: 'halted', updated: 1 })
})

test('an image that passes the self-test and fails the first real run on a canary reaches no tenant', async () => {
  const site = openRolloutSite(200, { activity: activityOf({}) })
  const probe = async (berthId: BerthId) => {
    const fault = site.images.get(berthId) === v2.image ? 'a run of python ended as crashed' : null
    return { fault, warm: true }
  }
  Object.assign(site.deps, { probe })

  const report = await site.roll({ onUnhealthy: 'roll_back' })

  expect(report).toMatchObject({ state: 'rolled_back', updated: 1 })
  expect(report.reason).toContain('a run of python ended as crashed')
})
