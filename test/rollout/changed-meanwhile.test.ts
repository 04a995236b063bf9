import { expect, test } from 'vitest'
import { BerthError } from '../../src/domain/errors.ts'
import { rollBack } from '../../src/rollout/roll-back.ts'
import { defaultRolloutSettings } from '../../src/rollout/rollout-options.ts'
import { hold, pause, pin, promote, propose, resume } from '../../src/rollout/wanted-changes.ts'
import { quiet } from '../contract/content.ts'
import { berthAt, openRolloutSite, v1, v2, v3 } from './scripted-fleet.ts'

test('a berth that is pinned while a rollout is on its way stays where it is', async () => {
  const last = berthAt(99)
  const one = { berthId: last, image: v1.image, reason: 'their audit', until: '2100-01-02T00:00:00Z' }
  const site = openRolloutSite(100, {
    updateMs: () => 1000,
    fails: () => {
      if (site.wanted !== null && site.updates.length === 20) site.wanted = pin(site.wanted, one)
      return null
    },
  })

  const report = await site.roll({ settings: { ...defaultRolloutSettings, atOnce: 4 } })

  expect(site.images.get(last)).toBe(v1.image)
  expect(report).toMatchObject({ state: 'done', updated: 99, pinned: [one] })
})

test('an image that is not well halts with its reason where the fence bars the way back', async () => {
  const site = openRolloutSite(100, {
    updateMs: () => 1000,
    fails: () => {
      // An operator who raises it while the rest is on its way.
      if (site.wanted?.version === v2.version) site.wanted = { ...site.wanted, fence: v2.version }
      return null
    },
    examined: (_, image) => image !== v2.image || site.wanted?.fence === 0,
  })

  const report = await site.roll({ onUnhealthy: 'roll_back' })

  expect(report.state).toBe('halted')
  expect(report.reason).toContain('self-test')
  expect(report.reason).toContain('behind the fence')
  expect(site.wanted).toMatchObject({ image: v2.image, held: expect.stringContaining('self-test') })
})

test('the wanted image that is started again is not held by what halted the one after it', async () => {
  const site = openRolloutSite(10)
  const offered = promote(propose({ ...v1, fence: 0 }, v2), v2)
  for (const [index, berthId] of [...site.images.keys()].entries())
    site.images.set(berthId, index < 2 ? v3.image : v2.image)
  site.wanted = hold(propose(offered, v3), 'version 3 crashes')

  const report = await site.roll({ target: v2 })

  expect(report).toMatchObject({ state: 'done', updated: 2, images: { [v2.image]: 10 } })
  expect(site.wanted.held).toBeUndefined()
})

test('a cell that somebody paused holds the next image too, and goes on with it when it is resumed', async () => {
  const site = openRolloutSite(10)
  site.wanted = pause({ ...v1, fence: 0 }, 'the region is ill')

  const held = await site.roll({ target: v2 })
  const before = [...site.updates]
  site.wanted = resume(site.wanted)
  const done = await site.roll({ target: null })

  expect(held).toMatchObject({ state: 'held', reason: 'the region is ill', updated: 0 })
  expect([before, done.state, site.images.get(berthAt(0))]).toEqual([[], 'done', v2.image])
  // Control: what halted one image holds no other.
  const halted = openRolloutSite(10)
  halted.wanted = hold({ ...v1, fence: 0, candidate: v2 }, 'version 2 crashes')
  expect(await halted.roll({ target: v3 })).toMatchObject({ state: 'done' })
})

test('a way back that is asked for in a pause goes, and the pause stays', async () => {
  const site = openRolloutSite(10)
  site.wanted = pause({ ...v2, fence: 0, previous: v1 }, 'the region is ill')
  for (const berthId of site.images.keys()) site.images.set(berthId, v2.image)

  const back = await site.pass(rollBack(site.deps, { settings: defaultRolloutSettings, signal: quiet() }))

  expect(back).toMatchObject({ state: 'rolled_back', images: { [v1.image]: 10 } })
  expect(site.wanted).toMatchObject({ image: v1.image, held: 'the region is ill', paused: true })
})

test('an image that is not well is taken back although the place of the wanted image answers late', async () => {
  const site = openRolloutSite(100, { examined: (_, image) => image !== v2.image })
  const { change } = site.deps.wanted
  let calls = 0
  site.deps.wanted.change = async (make, options) => {
    calls += 1
    if (calls === 2 || calls === 4) throw new BerthError('backend_unavailable', 'SSM answers with 500')
    return change(make, options)
  }

  const report = await site.roll({ onUnhealthy: 'roll_back' })

  expect(calls).toBeGreaterThanOrEqual(5)
  expect(report).toMatchObject({ state: 'rolled_back', images: { [v1.image]: 100 } })
})
