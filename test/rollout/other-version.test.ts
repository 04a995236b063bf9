import { expect, test } from 'vitest'
import { raiseFence } from '../../src/rollout/wanted-changes.ts'
import { wantedEvents } from '../../src/rollout/wanted-events.ts'
import { openRolloutSite, type RolloutSite, v1, v2 } from './scripted-fleet.ts'

/** A fleet that runs the image with runner 2, known by another version than that. */
const openMisnamed = (version: number): RolloutSite => {
  const site = openRolloutSite(20)
  for (const berthId of site.images.keys()) site.images.set(berthId, v2.image)
  site.wanted = { ...v2, version, fence: 0, previous: v1 }
  return site
}

test.each([9, 1])(
  'the wanted image under version %i, which its runner has not, halts and is never wanted',
  async (version) => {
    const site = openMisnamed(2)
    const before = site.wanted

    const report = await site.roll({ target: { ...v2, version } })

    const reason = expect.stringContaining(`expected runner version ${version}, got 2`)
    expect(report).toMatchObject({ state: 'halted', updated: 0, reason })
    expect(site.wanted).toEqual({ ...before, candidate: { ...v2, version }, held: report.reason })
    // Or everybody would be locked out.
    expect(() => raiseFence(site.wanted ?? { ...v2, fence: 0 }, 9)).toThrow('expected at most')
  },
)

test('told to, it goes back to the version that was wanted, and not to the image before', async () => {
  const site = openMisnamed(2)

  const report = await site.roll({ target: { ...v2, version: 9 }, onUnhealthy: 'roll_back' })

  expect(report).toMatchObject({ state: 'rolled_back', updated: 0, target: v2, images: { [v2.image]: 20 } })
  expect(site.wanted).toEqual({ ...v2, fence: 0 })
})

test.each([1, 9])(
  'control: where version %i was wrong, the right one is promoted, and the image before stays what it was',
  async (wrong) => {
    const site = openMisnamed(wrong)

    expect(await site.roll({ target: v2 })).toMatchObject({ state: 'done', updated: 0 })
    expect(site.wanted).toEqual({ ...v2, fence: 0, previous: v1 })
  },
)

test('a rollout of the same image under another version ends the one before it, which neither promotes nor undoes it', async () => {
  const site = openRolloutSite(20, {
    examined: () => {
      if (site.wanted?.candidate?.version === 9) site.wanted = { ...site.wanted, candidate: v2 }
      return true
    },
  })

  const report = await site.roll({ target: { ...v2, version: 9 }, onUnhealthy: 'roll_back' })

  expect(report.state).toBe('halted')
  expect(site.wanted).toEqual({ ...v1, fence: 0, candidate: v2 })
})

test('what somebody did with a version is told as what it was', () => {
  const before = { ...v2, fence: 0, previous: v1 }
  const offered = { ...before, candidate: { ...v2, version: 3 } }
  const after = { ...before, version: 3 }
  const codes = [
    [before, offered],
    [offered, after],
    [offered, before],
  ].map(([one, other]) => wantedEvents(one ?? null, other ?? null, 'eu').map(({ code }) => code))

  expect(codes).toEqual([['fleet.rollout_started'], ['fleet.image_offered'], ['fleet.rolled_back']])
})
