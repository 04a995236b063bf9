import { expect, test } from 'vitest'
import type { BerthId } from '../../src/domain/ids.ts'
import { defaultRolloutSettings } from '../../src/rollout/rollout-options.ts'
import { berthAt, countOf, openRolloutSite, type RolloutSite, v1, v2 } from './scripted-fleet.ts'

interface Pace {
  readonly canaries?: number
  /** Milliseconds of a warm run of Berth's own; undefined where it fails. */
  readonly takes: (berthId: BerthId, image: string, site: RolloutSite) => number | undefined
  /** What starting the runner takes beside that, after every update. */
  readonly coldMs?: number
}

const isNew = (image: string): boolean => image === v2.image

/** Two hundred berths; the first are canaries, the next tenants are the most active. */
const openPaced = ({ canaries = 3, takes, coldMs = 0 }: Pace) => {
  const warm = new Map<BerthId, string>()
  const activity = {
    canaries: async () => Array.from({ length: canaries }, (_, index) => berthAt(index)),
    runsSince: async () =>
      Array.from({ length: 20 }, (_, index) => ({
        berthId: berthAt(canaries + index),
        runs: 10,
        platformFailures: 0,
        lastAt: new Date(1_000_000 - index),
      })),
  }
  const site = openRolloutSite(200, {
    activity,
    probe: async (berthId, { signal }) => {
      const image = site.images.get(berthId) ?? ''
      const isWarm = warm.get(berthId) === image
      warm.set(berthId, image)
      const ms = takes(berthId, image, site)
      await site.clock.sleep((ms ?? 0) + (isWarm ? 0 : coldMs), signal)
      return { fault: ms === undefined ? 'a run of python ended as crashed' : null, warm: isWarm }
    },
  })
  return site
}
const off = { settings: { ...defaultRolloutSettings, slowFactor: null } }
const slowImage = (_: BerthId, image: string): number => (isNew(image) ? 4200 : 300)

test('an image that answers slowly is stopped at the canaries and undone, before any tenant has it', async () => {
  const site = openPaced({ takes: slowImage })

  const report = await site.roll({ onUnhealthy: 'roll_back' })

  expect(report).toMatchObject({
    state: 'rolled_back',
    updated: 3,
    reason: 'answers in 4.2 s at the median of the canaries, the old image in 0.30 s; the limit is 0.90 s',
  })
  expect(site.updates.filter(({ image }) => isNew(image)).map(({ berthId }) => berthId)).toEqual([0, 1, 2].map(berthAt))
  expect(countOf(site, v1)).toBe(200)
})

test('control: with the gate off the same image reaches everybody', async () => {
  const site = openPaced({ takes: slowImage })

  expect(await site.roll(off)).toMatchObject({ state: 'done', updated: 200 })
})

test('without canaries it is stopped in the ring, and touches no more tenants than that holds', async () => {
  const site = openPaced({ canaries: 0, takes: slowImage })

  expect(await site.roll()).toMatchObject({ state: 'halted', reason: expect.stringContaining('median of the ring') })
  expect(countOf(site, v2)).toBe(5)
  expect(site.wanted).toMatchObject({ image: v1.image })
})

test('an image that is slow in the berths of tenants alone is stopped in the ring', async () => {
  const canaries = new Set([0, 1, 2].map(berthAt))
  const site = openPaced({ takes: (berthId, image) => (isNew(image) && !canaries.has(berthId) ? 2000 : 300) })

  expect(await site.roll()).toMatchObject({ state: 'halted', reason: expect.stringContaining('median of the ring') })
  expect(countOf(site, v2)).toBe(3 + 5)
})

test('a cold start after the update is not slow', async () => {
  const site = openPaced({ takes: () => 300, coldMs: 9000 })

  expect(await site.roll()).toMatchObject({ state: 'done' })
})

test('control: an image whose runner starts anew for every run is', async () => {
  const site = openPaced({ takes: () => 300 })
  const { probe } = site.deps
  Object.assign(site.deps, {
    probe: async (...asked: Parameters<NonNullable<typeof probe>>) => {
      if (!isNew(site.images.get(asked[0]) ?? '')) return probe?.(...asked)
      await site.clock.sleep(9000, asked[1].signal)
      return { fault: null, warm: false }
    },
  })

  expect(await site.roll()).toMatchObject({ state: 'halted', reason: expect.stringMatching(/^answers in 9.0 s/) })
})

test.each([
  ['milliseconds of noise', 20, 100],
  ['what a loaded host adds', 300, 790],
  ['twice as long', 1000, 2000],
])('%s do not stop a rollout', async (_, old, now) => {
  const site = openPaced({ takes: (__, image) => (isNew(image) ? now : old) })

  expect(await site.roll()).toMatchObject({ state: 'done' })
})

test('an hour of load that comes with the rollout does not stop it, for berths on the old image are as slow', async () => {
  const loaded = openPaced({ takes: (_, __, { images }) => ([...images.values()].some(isNew) ? 4000 : 300) })

  expect(await loaded.roll()).toMatchObject({ state: 'done' })
})

test('a minority of the ring that slows its own runs down stops nobody', async () => {
  const hostile = new Set([3, 4].map(berthAt))
  const takes = (berthId: BerthId, image: string) => (isNew(image) && hostile.has(berthId) ? 30_000 : 300)

  expect(await openPaced({ takes }).roll()).toMatchObject({ state: 'done' })
  // Nor one that was quick before, to look slow.
  const quick = (berthId: BerthId, image: string) => (!isNew(image) && hostile.has(berthId) ? 0 : 300)
  expect(await openPaced({ takes: quick }).roll()).toMatchObject({ state: 'done' })
})

test('cut off after the canaries were updated, it is compared with berths that are still on the old image', async () => {
  const site = openPaced({ takes: slowImage })
  for (const index of [0, 1, 2]) site.images.set(berthAt(index), v2.image)
  site.wanted = { ...v1, fence: 0, candidate: v2 }

  const report = await site.roll({ target: null })

  expect(report).toMatchObject({ state: 'halted', reason: expect.stringContaining('the old image in 0.30 s') })
  expect(countOf(site, v2)).toBe(3)
})

test('an old image that runs nothing holds up no rollout away from it', async () => {
  const site = openPaced({ takes: (_, image) => (isNew(image) ? 300 : undefined) })

  expect(await site.roll()).toMatchObject({ state: 'done', updated: 200 })
})

/** One update brings all, to the slow image. */
const openTogether = () => {
  const site = openPaced({ takes: slowImage })
  const { list, update } = site.fleet
  async function* together(options: Parameters<typeof list>[0]) {
    for await (const member of list(options)) yield { ...member, together: true as const }
  }
  const updateAll: typeof update = async (_, image) => {
    for (const berthId of site.images.keys()) site.images.set(berthId, image)
  }
  Object.assign(site.fleet, { list: together, update: updateAll })
  return site
}

test('where one update brings all it is undone for all; on a machine that neighbours slow down nothing is timed', async () => {
  const settings = { ...defaultRolloutSettings, timesTogether: true }
  const [own, machine] = [openTogether(), openTogether()]

  const undone = await own.roll({ settings, onUnhealthy: 'roll_back' })

  expect(undone).toMatchObject({ state: 'rolled_back', reason: expect.stringContaining('median of the canaries') })
  expect(countOf(own, v1)).toBe(200)
  expect(await machine.roll()).toMatchObject({ state: 'done' })
})

/** Whoever signs up gets a spare, whose runs it can slow down from then on. */
const openClaimed = (claimed: readonly number[], isSlow: (index: number) => boolean) => {
  const site = openPaced({
    takes: (berthId, image) =>
      isNew(image) && [0, 1, 2].some((index) => isSlow(index) && berthAt(index) === berthId) ? 9000 : 300,
  })
  const left = () => {
    const isBegun = [...site.images.values()].some(isNew)
    return [0, 1, 2].filter((index) => !isBegun || !claimed.includes(index)).map(berthAt)
  }
  Object.assign(site.deps.activity ?? {}, { canaries: async () => left() })
  return site
}

test.each([[[0, 1]], [[0, 1, 2]]])(
  'tenants who got the canaries %j meanwhile and slow their runs down stop nobody',
  async (claimed) => {
    const site = openClaimed(claimed, (index) => claimed.includes(index))

    expect(await site.roll()).toMatchObject({ state: 'done', updated: 200 })
  },
)

test('control: what the canaries that are left show counts, and so does all of them where nobody got one', async () => {
  const [left, all] = [openClaimed([0, 1], () => true), openClaimed([], (index) => index < 2)]
  const stopped = { state: 'halted', updated: 3, reason: expect.stringContaining('median of the canaries') }

  expect(await left.roll()).toMatchObject(stopped)
  expect(await all.roll()).toMatchObject(stopped)
})

test('a dry run sends no run and no self-test', async () => {
  const asked: BerthId[] = []
  const takes = (berthId: BerthId) => asked.push(berthId)
  const site = openPaced({ takes })
  const { selfTest } = site.fleet
  Object.assign(site.fleet, {
    selfTest: (...one: Parameters<typeof selfTest>) => {
      asked.push(one[0])
      return selfTest(...one)
    },
  })

  expect(await site.roll({ dryRun: true })).toMatchObject({ state: 'planned' })
  expect(asked).toEqual([])
  // Control: a real one does.
  await site.roll()
  expect(asked).not.toEqual([])
})

test('the one tenant who is left on the old image can not pass a slow image off as load', async () => {
  const settings = { ...defaultRolloutSettings, ringLeast: 199 }
  const site = openPaced({
    canaries: 0,
    takes: (berthId, image) => (!isNew(image) && berthId === berthAt(199) ? 30_000 : slowImage(berthId, image)),
  })

  expect(await site.roll({ settings })).toMatchObject({ state: 'halted', updated: 199 })
})
