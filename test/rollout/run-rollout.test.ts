import { expect, test } from 'vitest'
import { BerthError } from '../../src/domain/errors.ts'
import { rollBack } from '../../src/rollout/roll-back.ts'
import { defaultRolloutSettings } from '../../src/rollout/rollout-options.ts'
import { berthAt, countOf, openRolloutSite, rolling, v1, v2, v3 } from './scripted-fleet.ts'

const broken = () =>
  new BerthError('berth_broken', 'refused', { data: { reasonCode: 'InvalidImage', reason: 'no entry' } })

test('every berth is brought to the image, and new ones get it once the ring is well', async () => {
  const site = openRolloutSite(40)

  const report = await site.roll()

  expect(report).toMatchObject({ state: 'done', updated: 40, failed: [], images: { [v2.image]: 40 } })
  expect(site.wanted).toEqual({ ...v2, fence: 0, previous: v1 })
})

test('started again it finds nothing to do', async () => {
  const site = openRolloutSite(10)
  await site.roll()

  expect(await site.roll()).toMatchObject({ state: 'done', updated: 0 })
  expect(site.updates).toHaveLength(10)
})

test('a listing is not believed that tells the image of an update which has failed', async () => {
  const site = openRolloutSite(20)
  site.told.set(berthAt(3), v2.image)

  expect(await site.roll()).toMatchObject({ state: 'done', updated: 19 })
  expect(countOf(site, v2)).toBe(20)
})

test('a berth that the listing takes to be there, and that cannot be brought there, is reported', async () => {
  const site = openRolloutSite(20, { fails: (berthId) => (berthId === berthAt(13) ? broken() : null) })
  site.told.set(berthAt(13), v2.image)

  const report = await site.roll()

  expect(report).toMatchObject({
    state: 'some_failed',
    updated: 19,
    failed: [{ berthId: berthAt(13), reason: 'refused: InvalidImage: no entry' }],
  })
})

test('a dry run tells the waves and changes nothing', async () => {
  const site = openRolloutSite(100)

  const report = await site.roll({ dryRun: true })

  expect(report).toMatchObject({ state: 'planned', waves: [{ berths: 0 }, { berths: 5 }, { berths: 95 }] })
  expect([site.updates, site.wanted]).toEqual([[], { ...v1, fence: 0 }])
})

test('canaries come first, then who was active last', async () => {
  const activity = {
    canaries: async () => [berthAt(7)],
    runsSince: async (since: Date) =>
      since.getTime() > 0
        ? []
        : [5, 3].map((index) => ({ berthId: berthAt(index), runs: 1, platformFailures: 0, lastAt: new Date(index) })),
  }
  const site = openRolloutSite(10, { activity })
  const settings = { ...defaultRolloutSettings, atOnce: 1 }

  await site.roll({ settings })

  expect(site.updates.slice(0, 4).map(({ berthId }) => berthId)).toEqual([7, 5, 3, 0].map(berthAt))
})

const bad = { examined: (_: unknown, image: string) => image !== v2.image }

test('a bad image stops in the ring, holds what others do, and no new berth gets it', async () => {
  const site = openRolloutSite(300, bad)

  const report = await site.roll()

  expect(report).toMatchObject({ state: 'halted', reason: expect.stringContaining('sandbox (as the script says)') })
  expect(countOf(site, v2)).toBe(6)
  expect(site.wanted).toMatchObject({ image: v1.image, held: report.reason })
  expect(await site.roll()).toMatchObject({ state: 'held', updated: 0 })
})

test('an image is not stopped that is well (control)', async () => {
  const site = openRolloutSite(300, { examined: () => true })

  expect(await site.roll()).toMatchObject({ state: 'done' })
})

test('a bad image undoes itself when it is told to', async () => {
  const site = openRolloutSite(300, bad)

  const report = await site.roll({ onUnhealthy: 'roll_back' })

  expect(report).toMatchObject({ state: 'rolled_back', updated: 6, reason: expect.stringContaining('self-test of') })
  expect(countOf(site, v1)).toBe(300)
  expect(site.wanted).toEqual({ ...v1, fence: 0 })
})

test('started again and again, on any order of activity, a bad image reaches no more tenants than the ring holds', async () => {
  let turn = 0
  const activity = {
    canaries: async () => [],
    runsSince: async () => {
      turn += 1
      const indexes = Array.from({ length: 20 }, (_, index) => (index + turn * 20) % 300)
      return indexes.map((index) => ({ berthId: berthAt(index), runs: 1, platformFailures: 0, lastAt: new Date(1) }))
    },
  }
  const site = openRolloutSite(300, { ...bad, activity })

  for (let again = 0; again < 5; again += 1) {
    await site.roll()
    site.wanted = { ...v1, fence: 0, candidate: v2 }
  }

  expect(countOf(site, v2)).toBe(6)
})

test('an image that never answers is stopped too', async () => {
  const site = openRolloutSite(20, { examined: (_, image) => (image === v2.image ? undefined : true) })

  expect(await site.roll()).toMatchObject({
    state: 'halted',
    reason: expect.stringContaining('no answer within 45000 ms'),
  })
})

test('a version that the runner does not have is stopped, for a fence there would lock everybody out', async () => {
  const site = openRolloutSite(20)

  const report = await site.roll({ target: { ...v2, version: 9 } })

  expect(report).toMatchObject({ state: 'halted', reason: expect.stringContaining('expected runner version 9, got 2') })
})

const failing = (share: number) => ({
  canaries: async () => [],
  runsSince: async (since: Date) =>
    since.getTime() === 0
      ? []
      : [
          { berthId: berthAt(0), runs: 30, platformFailures: 30 * share, lastAt: new Date() },
          { berthId: berthAt(20), runs: 1000, platformFailures: 50, lastAt: new Date() },
        ],
})

const openFailing = (share: number) => {
  const site = openRolloutSite(21, { activity: failing(share) })
  // One stays on the old image to the end.
  const pin = { berthId: berthAt(20), image: v1.image, reason: 'audit', until: '2099-01-01T00:00:00Z' }
  site.wanted = { ...v1, fence: 0, pins: [pin] }
  return site
}

test('an image that passes the self-test and fails runs is stopped by its runs', async () => {
  const bad = await openFailing(0.2).roll()
  const well = await openFailing(0.1).roll()

  expect(bad).toMatchObject({
    state: 'halted',
    reason: 'the platform failed 6 of 30 runs on the new image, and 50 of 1000 on the old',
  })
  expect(well.state).toBe('done')
})

test('an image that turns bad late is found while the rest goes on', async () => {
  let examined = 0
  const examine = () => (examined += 1) <= 8
  const site = openRolloutSite(2000, { examined: examine, updateMs: () => 1000 })
  const settings = { ...defaultRolloutSettings, atOnce: 20 }

  const report = await site.roll({ settings, onUnhealthy: 'roll_back' })

  expect(report.state).toBe('rolled_back')
  expect(site.updates.filter(({ image }) => image === v2.image).length).toBeLessThan(600)
  expect(countOf(site, v1)).toBe(2000)
})

test('a berth whose update fails is tried again, then reported with the own reason of Lambda', async () => {
  let tries = 0
  const fails = (berthId: string) => {
    if (berthId === berthAt(30)) tries += 1
    return berthId === berthAt(30) ? broken() : null
  }
  const site = openRolloutSite(60, { fails })

  const report = await site.roll()

  expect(report).toMatchObject({
    state: 'some_failed',
    updated: 59,
    failed: [{ berthId: berthAt(30), reason: 'refused: InvalidImage: no entry' }],
  })
  // Once more after the last listing, which tells of no failure: somebody else may have brought it there.
  expect(tries).toBe(6)
})

test('updates that fail everywhere halt it in the ring', async () => {
  const site = openRolloutSite(300, { fails: (_, image) => (image === v2.image ? broken() : null) })

  const report = await site.roll()

  expect(report).toMatchObject({
    state: 'halted',
    reason: expect.stringMatching(/^\d of 6 berths could not be updated: refused/),
  })
})

test('a pinned berth stays on its image and shows as a laggard, until the pin runs out', async () => {
  const site = openRolloutSite(10)
  const pin = { berthId: berthAt(2), image: v1.image, reason: 'their audit', until: '2026-01-02T00:00:00Z' }
  site.wanted = { ...v1, fence: 0, pins: [pin] }

  const held = await site.roll()
  await site.clock.advance(25 * 3_600_000)
  const later = await site.roll()

  expect(held).toMatchObject({ state: 'done', updated: 9, pinned: [pin], images: { [v1.image]: 1 } })
  expect(later).toMatchObject({ state: 'done', updated: 1, pinned: [] })
})

test('a part of the fleet is brought there alone, and new berths do not get the image', async () => {
  const site = openRolloutSite(100)

  const tenth = await site.roll({ scope: { kind: 'percent', percent: 10 } })
  const named = await site.roll({ scope: { kind: 'berths', berthIds: new Set([berthAt(77)]) } })

  expect([tenth.updated, named.updated, countOf(site, v2)]).toEqual([10, 1, 11])
  expect(site.wanted).toEqual({ ...v1, fence: 0, candidate: v2 })
})

test('a berth that is made with the old image while it goes on is caught by the last listing', async () => {
  const site = openRolloutSite(10)
  const rollout = site.pass(site.roll())
  // Its creation began with the image of then.
  site.deps.clock.sleep(80_000, rolling().signal).then(
    () => site.images.set(berthAt(99), v1.image),
    () => undefined,
  )

  expect(await rollout).toMatchObject({ state: 'done', updated: 11 })
  expect(countOf(site, v2)).toBe(11)
})

test('a pause ends it, and it goes on where it was', async () => {
  const site = openRolloutSite(100, { updateMs: () => 1000 })
  const settings = { ...defaultRolloutSettings, atOnce: 5 }
  const rollout = site.roll({ settings })
  await site.clock.advance(5000)
  site.wanted = { ...(site.wanted ?? { ...v1, fence: 0 }), held: 'lunch' }

  expect(await rollout).toMatchObject({ state: 'held', reason: 'lunch' })
  const before = site.updates.length
  delete (site.wanted as { held?: string }).held
  expect(await site.roll({ target: null })).toMatchObject({ state: 'done', updated: 100 - before })
})

test('another image that is wanted meanwhile ends it', async () => {
  const site = openRolloutSite(100, { updateMs: () => 1000 })
  const first = site.roll({ settings: { ...defaultRolloutSettings, atOnce: 5 } })
  await site.clock.advance(5000)
  const second = site.roll({ target: v3 })

  expect((await first).state).toBe('superseded')
  expect((await second).state).toBe('done')
  expect(countOf(site, v3)).toBe(100)
})

test('a rollback after it was offered to all goes back once, however often it is said', async () => {
  const site = openRolloutSite(30)
  await site.roll()

  const first = await site.pass(rollBack(site.deps, rolling()))
  const second = await site.pass(rollBack(site.deps, rolling()))

  expect([first.state, first.updated, second.state, second.updated]).toEqual(['rolled_back', 30, 'rolled_back', 0])
  expect(site.wanted).toEqual({ ...v1, fence: 0 })
})

test('nothing goes back behind the fence', async () => {
  const site = openRolloutSite(3)
  await site.roll()
  site.wanted = { ...v2, fence: 2, previous: v1 }

  await expect(rollBack(site.deps, rolling())).rejects.toMatchObject({ code: 'conflict' })
  await expect(site.roll({ target: v1 })).rejects.toMatchObject({ code: 'conflict' })
})
