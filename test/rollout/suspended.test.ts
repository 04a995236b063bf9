import { expect, test } from 'vitest'
import { BerthError } from '../../src/domain/errors.ts'
import type { BerthId } from '../../src/domain/ids.ts'
import { berthAt, openRolloutSite, v2 } from './scripted-fleet.ts'

/** As nobody is active, a ring goes by ids, and these would be all of it but one. */
const ids = Array.from({ length: 400 }, (_, index) => berthAt(index)).toSorted()
const suspended = new Set(ids.slice(0, 7))
const idle = { canaries: async () => [], runsSince: async () => [] }
const examined = (berthId: BerthId): boolean => !suspended.has(berthId)

test('berths of suspended tenants are updated, and what they say of themselves stops nothing', async () => {
  const site = openRolloutSite(400, { examined, activity: { ...idle, suspended: async () => [...suspended] } })

  expect(await site.roll()).toMatchObject({ state: 'done', updated: 400 })
  expect(site.updates.slice(0, 8).some(({ berthId }) => suspended.has(berthId))).toBe(false)
})

test('control: taken for others they would be a bad image', async () => {
  const site = openRolloutSite(400, { examined, activity: idle })

  expect(await site.roll()).toMatchObject({ state: 'halted', reason: expect.stringContaining('self-test of 5 of 5') })
})

test('where no store tells them, others are examined in their place', async () => {
  const bad = { image: '' }
  const site = openRolloutSite(400, {})
  const { selfTest } = site.fleet
  Object.assign(site.fleet, {
    selfTest: async (...asked: Parameters<typeof selfTest>) => {
      if (suspended.has(asked[0])) throw new BerthError('tenant_suspended', 'The tenant is suspended')
      const report = await selfTest(...asked)
      return { ...report, passed: report.image !== bad.image }
    },
  })

  expect(await site.roll()).toMatchObject({ state: 'done', updated: 400 })
  // Control: the one berth of the ring that is not suspended still stops a bad image.
  bad.image = v2.image
  for (const berthId of site.images.keys()) site.images.set(berthId, site.wanted?.previous?.image ?? '')
  site.wanted = { ...(site.wanted?.previous ?? v2), fence: 0, candidate: v2 }
  expect(await site.roll()).toMatchObject({ state: 'halted', reason: expect.stringContaining('self-test of 1 of 1') })
})
