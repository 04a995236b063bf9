import { expect, test } from 'vitest'
import { BerthError } from '../../src/domain/errors.ts'
import { defaultRolloutSettings } from '../../src/rollout/rollout-options.ts'
import { hold, pin, promote, propose } from '../../src/rollout/wanted-changes.ts'
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
