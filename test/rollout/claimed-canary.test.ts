import { expect, test } from 'vitest'
import type { BerthId } from '../../src/domain/ids.ts'
import { berthAt, openRolloutSite, v2 } from './scripted-fleet.ts'

const canary = berthAt(0)
const hostile = new Set([canary])

/** A spare until a tenant gets it, who spoils its self-test at once. */
const openSite = (isClaimed: boolean) => {
  let asked = 0
  return openRolloutSite(200, {
    activity: {
      canaries: async () => ((asked += 1) > 1 && isClaimed ? [] : [canary]),
      runsSince: async () => [],
    },
    examined: (berthId, image) => image !== v2.image || !hostile.has(berthId),
  })
}

test('a spare that a tenant got in the meantime speaks for that tenant alone, and halts nobody', async () => {
  expect(await openSite(true).roll()).toMatchObject({ state: 'done' })
  // Control: one that is still a spare halts all.
  expect(await openSite(false).roll()).toMatchObject({ state: 'halted', updated: 1 })
})

test('a spare that is gone vouches for no image', async () => {
  // The first in the order of ids, and so in the ring.
  const bad = new Set<BerthId>([berthAt(26), berthAt(27)])
  const activity = { canaries: async () => [canary], runsSince: async () => [] }
  const examined = (berthId: BerthId, image: string) => image !== v2.image || !bad.has(berthId)
  const openOne = (isGone: boolean) => {
    const site = openRolloutSite(200, { activity, examined })
    const { update } = site.deps.fleet
    Object.assign(site.deps.fleet, {
      update: async (...args: Parameters<typeof update>) => {
        await update(...args)
        if (isGone) site.images.delete(canary)
      },
    })
    return site
  }

  expect(await openOne(true).roll()).toMatchObject({ state: 'halted', updated: 6 })
  // Control: one that is there does, and two of five tenants in the sample are forgiven.
  expect(await openOne(false).roll()).toMatchObject({ state: 'done' })
})
