import { expect, test } from 'vitest'
import { pinBerth } from '../../src/rollout/pin-berth.ts'
import { quiet } from '../contract/content.ts'
import { berthAt, openRolloutSite, v1, v2 } from './scripted-fleet.ts'

const pinOf = (index: number) => ({
  berthId: berthAt(index),
  image: v1.image,
  reason: 'audit',
  until: '2099-01-01T00:00:00Z',
})

test('the berth of a tenant that is not in this cell is called as it was asked for, and nothing is pinned', async () => {
  const site = openRolloutSite(5)
  const names = new Map([[berthAt(77), 'b77 of tenant t1 (ready in cell "away")']])

  const pinned = pinBerth(site.deps, { one: pinOf(77), names, signal: quiet() })

  await expect(pinned).rejects.toMatchObject({
    code: 'not_found',
    message: 'Not in this cell: b77 of tenant t1 (ready in cell "away")',
  })
  expect(site.wanted).toEqual({ ...v1, fence: 0 })
})

test('control: one that is there stays on its image while all others leave it', async () => {
  const site = openRolloutSite(5)

  await pinBerth(site.deps, { one: pinOf(3), signal: quiet() })
  await site.roll()

  expect(site.images.get(berthAt(3))).toBe(v1.image)
  expect([...site.images.values()].filter((image) => image === v2.image)).toHaveLength(4)
})

test('a pin remembers the image that the berth runs, and one that names another is refused', async () => {
  const site = openRolloutSite(5)
  const { image: _, ...unnamed } = pinOf(3)

  await pinBerth(site.deps, { one: unnamed, signal: quiet() })
  const wrong = pinBerth(site.deps, { one: { ...pinOf(2), image: v2.image }, signal: quiet() })

  await expect(wrong).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining(`expected ${v1.image}`),
  })
  expect(site.wanted?.pins).toEqual([pinOf(3)])
})

test('where no image is wanted yet there is nothing to be kept from', async () => {
  const site = openRolloutSite(5)
  site.wanted = null

  await expect(pinBerth(site.deps, { one: pinOf(3), signal: quiet() })).rejects.toMatchObject({ code: 'conflict' })
})
