import { expect, test } from 'vitest'
import { countOf, openRolloutSite, v1, v2 } from './scripted-fleet.ts'

const wrong = { ...v1, version: 9 }

test('a version that the runner in the image does not bear is found before a fence can be raised to it', async () => {
  const site = openRolloutSite(100)

  const report = await site.roll({ target: wrong })

  expect(report).toMatchObject({ state: 'halted', reason: expect.stringContaining('expected runner version 9, got 1') })
  expect(site.wanted).toMatchObject({ ...v1, candidate: wrong, held: report.reason })
})

test('going back from it leaves all as they were', async () => {
  const site = openRolloutSite(100)

  const report = await site.roll({ target: wrong, onUnhealthy: 'roll_back' })

  expect(report).toMatchObject({ state: 'rolled_back', updated: 0, images: { [v1.image]: 100 } })
  expect(site.wanted).toEqual({ ...v1, fence: 0 })
})

test('the version that was given wrongly with the first image is put right, and a rollback goes where it went', async () => {
  const site = openRolloutSite(100)
  await site.roll({ target: v2 })
  site.wanted = { ...v2, version: 7, fence: 0, previous: v1 }

  const report = await site.roll({ target: v2 })

  expect(report).toMatchObject({ state: 'done', updated: 0 })
  expect(site.wanted).toEqual({ ...v2, fence: 0, previous: v1 })
  expect(countOf(site, v2)).toBe(100)
})

test('the rollout of what is there already changes nothing', async () => {
  const site = openRolloutSite(100)
  await site.roll({ target: v2 })
  const before = site.wanted

  const report = await site.roll({ target: v2 })

  expect(report).toMatchObject({ state: 'done', updated: 0 })
  expect(site.wanted).toEqual(before)
})
