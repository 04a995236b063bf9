import { expect, test } from 'vitest'
import type { BerthId } from '../../src/domain/ids.ts'
import { berthAt, countOf, openRolloutSite, v1, v2 } from './scripted-fleet.ts'

const named = (indexes: readonly number[], names?: ReadonlyMap<BerthId, string>) => ({
  kind: 'berths' as const,
  berthIds: new Set(indexes.map(berthAt)),
  ...(names === undefined ? {} : { names }),
})

test.each([false, true])(
  'berths that are not in the cell are named, and nothing is changed (dry run: %s)',
  async (dryRun) => {
    const site = openRolloutSite(10)
    const names = new Map([[berthAt(77), 'b77 of tenant t1 (ready in cell "eu")']])

    const rollout = site.roll({ dryRun, scope: named([3, 77, 78], names) })

    await expect(rollout).rejects.toMatchObject({
      code: 'not_found',
      message: `Not in this cell: b77 of tenant t1 (ready in cell "eu"), ${berthAt(78)}`,
    })
    expect([site.wanted, site.updates]).toEqual([{ ...v1, fence: 0 }, []])
  },
)

test('of many the first are named, and how many more there are', async () => {
  const indexes = Array.from({ length: 500 }, (_, index) => 1000 + index)

  await expect(openRolloutSite(10).roll({ scope: named(indexes) })).rejects.toThrow(/, and 480 more$/)
})

test('control: those that are there are brought to the image', async () => {
  const site = openRolloutSite(10)

  expect(await site.roll({ scope: named([3, 4]) })).toMatchObject({ state: 'done', updated: 2 })
  expect(countOf(site, v2)).toBe(2)
})
