import { describe, expect, test } from 'vitest'
import { BerthError } from '../../src/domain/errors.ts'
import type { BerthId } from '../../src/domain/ids.ts'
import { defaultRolloutSettings } from '../../src/rollout/rollout-options.ts'
import type { RolloutReport } from '../../src/rollout/rollout-report.ts'
import { runRollout } from '../../src/rollout/run-rollout.ts'
import { berthAt, openRolloutSite, randomOf, rolling, v1, v2 } from './scripted-fleet.ts'

const BERTHS = 60
/** As `kill -9`: nobody hears of it, and what was on its way may arrive. */
class Killed extends Error {}

/** One fleet with all that may go wrong, by seed: deterministic, and never twice the same. */
const openChaos = (seed: number) => {
  const random = randomOf(seed)
  const doomed = new Set(random() < 0.5 ? [berthAt(40 + Math.floor(random() * 20))] : [])
  const fails = (berthId: BerthId): BerthError | null => {
    if (doomed.has(berthId)) return new BerthError('berth_broken', 'refused', { data: { reason: 'ImageDeleted' } })
    if (random() < 0.05) return new BerthError('backend_unavailable', 'throttled')
    return null
  }
  const site = openRolloutSite(BERTHS, { fails, updateMs: () => Math.floor(random() * 20_000) })
  const sleep = (ms: number) => site.clock.sleep(ms, new AbortController().signal)
  const live = async () => {
    for (let index = 0; index < 6; index += 1) {
      await sleep(random() * 30_000)
      // A sign-up: the image is read first, and the function is there up to 60 s later.
      const image = site.wanted?.image ?? v1.image
      void sleep(random() * 60_000).then(() => site.images.set(berthAt(1000 + index), image))
      site.images.delete(berthAt(Math.floor(random() * BERTHS)))
    }
  }
  let jumpMs = 0
  const jump = () => (jumpMs += (random() - 0.5) * 7_200_000)
  const clock = { ...site.clock, now: () => new Date(site.clock.now().getTime() + (random() < 0.1 ? jump() : jumpMs)) }
  return { site, random, live, doomed, deps: { ...site.deps, clock } }
}

type Chaos = ReturnType<typeof openChaos>

/** Starts it again as often as it is killed; the last try is left alone. */
const persist = async ({ site, random, deps }: Chaos): Promise<RolloutReport> => {
  const settings = { ...defaultRolloutSettings, atOnce: 8, tries: 8, ringLeast: 5 }
  for (let lives = Math.floor(random() * 4); ; lives -= 1) {
    const kill = new AbortController()
    if (lives > 0)
      void site.clock.sleep(random() * 120_000, new AbortController().signal).then(() => kill.abort(new Killed()))
    try {
      return await runRollout(deps, rolling({ settings, signal: kill.signal }))
    } catch (error) {
      if (!(error instanceof Killed)) throw error
    }
  }
}

describe.each([0, 1, 2, 3])('chaos, seeds %i00 and on', (hundred) => {
  test('every berth ends on the wanted image or is reported with a reason', async () => {
    for (let seed = hundred * 100; seed < hundred * 100 + 25; seed += 1) {
      const chaos = openChaos(seed)
      const { site, random, doomed } = chaos
      const two = random() < 0.4
      const living = chaos.live()

      const [report] = await site.pass(Promise.all([persist(chaos), ...(two ? [persist(chaos)] : []), living]))

      const off = [...site.images].filter(([, image]) => image !== v2.image).map(([berthId]) => berthId)
      const told = new Set(report.failed.map(({ berthId }) => berthId))
      expect(['done', 'some_failed'], `seed ${seed}: ${report.reason}`).toContain(report.state)
      expect(
        off.filter((berthId) => !told.has(berthId)),
        `seed ${seed}`,
      ).toEqual([])
      expect(
        [...told].filter((berthId) => !doomed.has(berthId)),
        `seed ${seed}`,
      ).toEqual([])
      expect(site.wanted, `seed ${seed}`).toMatchObject({ ...v2, previous: v1 })
      expect(site.updates.length, `seed ${seed}`).toBeLessThan(3 * (BERTHS + 10))
    }
  })
})
