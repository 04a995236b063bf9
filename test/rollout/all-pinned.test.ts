import { expect, test } from 'vitest'
import { pin, unpin } from '../../src/rollout/wanted-changes.ts'
import { berthAt, countOf, openRolloutSite, v1, v2 } from './scripted-fleet.ts'

const openPinned = (count: number) => {
  const site = openRolloutSite(count, { examined: (_, image) => image !== v2.image })
  const until = new Date(site.clock.now().getTime() + 86_400_000).toISOString()
  for (let index = 0; index < count; index += 1)
    site.wanted = pin(site.wanted ?? { ...v1, fence: 0 }, {
      berthId: berthAt(index),
      image: v1.image,
      reason: 'audit',
      until,
    })
  return site
}

test('new berths do not get an image that can be tried nowhere, for all berths are pinned', async () => {
  const site = openPinned(3)

  const report = await site.roll()

  expect(report).toMatchObject({ state: 'held', reason: expect.stringContaining('all 3 berths are pinned') })
  expect(site.wanted).toMatchObject({ ...v1, candidate: v2 })
})

test('once one of them is not, the image is tried there', async () => {
  const site = openPinned(3)
  if (site.wanted !== null) site.wanted = unpin(site.wanted, berthAt(1))

  const report = await site.roll({ onUnhealthy: 'roll_back' })

  expect(report).toMatchObject({ state: 'rolled_back', updated: 1 })
  expect([site.wanted?.image, countOf(site, v1)]).toEqual([v1.image, 3])
})

test('where there is no berth at all the first of them prove it', async () => {
  const site = openRolloutSite(0)

  expect((await site.roll()).state).toBe('done')
  expect(site.wanted).toMatchObject(v2)
})

test('berths that are pinned on the image itself hold nothing up', async () => {
  const site = openPinned(2)

  expect((await site.roll({ target: v1 })).state).toBe('done')
})
