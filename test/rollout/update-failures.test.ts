import { expect, test } from 'vitest'
import { BerthError } from '../../src/domain/errors.ts'
import type { BerthId } from '../../src/domain/ids.ts'
import { createFleetWatch } from '../../src/rollout/fleet-watch.ts'
import { fleetStatusOf } from '../../src/rollout/fleet-status.ts'
import { resume } from '../../src/rollout/wanted-changes.ts'
import { collect, quiet } from '../contract/content.ts'
import { berthAt, openRolloutSite, type RolloutSite, v1, v2 } from './scripted-fleet.ts'

const refused = (reason: string) =>
  new BerthError('berth_broken', 'The image was refused', { data: { reasonCode: 'InvalidImage', reason } })

/** Berths whose update fails, with Lambda's words for it. */
const openFailing = (count: number, failing: Map<BerthId, string>) =>
  openRolloutSite(count, {
    fails: (berthId, image) =>
      image === v2.image && failing.has(berthId) ? refused(failing.get(berthId) ?? '') : null,
  })

/** As a server sees the cell. */
const lookAt = async (site: RolloutSite) => {
  const { fleet, deps } = site
  const cells = [{ cell: 'home', open: async () => ({ fleet, wanted: deps.wanted }) }]
  const watch = createFleetWatch({ cells, clock: site.clock, events: site.log })
  const [seen] = await watch.report({ signal: quiet() })
  return seen
}

test('why an update failed is told by every server, until a rollout has mended it', async () => {
  const failing = new Map([[berthAt(30), 'no entry point']])
  const site = openFailing(60, failing)

  await site.roll()
  const failed = await lookAt(site)
  const status = fleetStatusOf(
    site.wanted ?? { ...v1, fence: 0 },
    await collect(site.fleet.list({ signal: quiet() })),
    site.clock.now(),
  )
  failing.clear()
  await site.roll()
  const mended = await lookAt(site)

  const laggard = {
    berthId: berthAt(30),
    reason: 'its update failed: The image was refused: InvalidImage: no entry point',
  }
  // The listing says that it is there, as Lambda's does.
  expect(failed?.listed?.images).toMatchObject([{ image: v2.image, berths: 60 }])
  expect(failed).toMatchObject({ updatesFailed: 1, listed: { laggards: [laggard], laggardsTotal: 1 } })
  expect(status).toMatchObject({ updatesFailed: 1, laggards: [laggard] })
  expect(mended).toMatchObject({ updatesFailed: 0, listed: { laggards: [], laggardsTotal: 0 } })
  expect(site.wanted).toEqual({ ...v2, fence: 0, previous: v1 })
})

const reasonOf = (index: number): string => `${index} ${'🦑 is not a reason. '.repeat(40)}`

test('however many fail for however many reasons, little room is taken, and their number is exact', async () => {
  const failing = new Map(Array.from({ length: 2000 }, (_, index) => [berthAt(index), reasonOf(index)] as const))
  const site = openFailing(2000, failing)

  const report = await site.roll()
  const { failed } = site.wanted ?? {}

  expect(failed?.berths).toBe(report.failed.length)
  expect(Buffer.byteLength(JSON.stringify(failed))).toBeLessThan(2000)
})

test('no credential that stands in a reason is told', async () => {
  const secret = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
  const reason = `AKIAIOSFODNN7EXAMPLE ${secret} X-Amz-Security-Token=${'IQoJb3JpZ2luX2Vj'.repeat(5)}\u0007\nno\u202Eentry`
  const site = openFailing(60, new Map([[berthAt(30), reason]]))

  await site.roll()

  const told = site.wanted?.failed?.reasons[0]?.reason
  expect(told).toBe('The image was refused: InvalidImage: … … … no entry')
})

test('a rollout of a part of the fleet keeps what is known of the others', async () => {
  const failing = new Map([30, 31].map((index) => [berthAt(index), 'no entry point'] as const))
  const site = openFailing(60, failing)
  await site.roll()
  failing.delete(berthAt(31))

  await site.roll({ scope: { kind: 'berths', berthIds: new Set([berthAt(31)]) } })

  expect(site.wanted?.failed).toMatchObject({ berths: 1, reasons: [{ berthIds: [berthAt(30)] }] })
})

test("a rollback, or another image, makes them nobody's concern", async () => {
  const site = openFailing(300, new Map(Array.from({ length: 300 }, (_, index) => [berthAt(index), 'no'] as const)))

  const report = await site.roll({ onUnhealthy: 'roll_back' })

  expect(report.state).toBe('rolled_back')
  expect(site.wanted).toEqual({ ...v1, fence: 0 })
})

test('a halted rollout tells them too', async () => {
  const site = openFailing(300, new Map(Array.from({ length: 300 }, (_, index) => [berthAt(index), 'no'] as const)))

  const report = await site.roll()

  expect(report.state).toBe('halted')
  expect((await lookAt(site))?.updatesFailed).toBe(report.failed.length)
})

test('rollouts that halt over the same failures again and again do not count them again', async () => {
  const failing = new Map(Array.from({ length: 2000 }, (_, index) => [berthAt(index), 'no'] as const))
  const site = openFailing(2000, failing)
  const counts: (number | undefined)[] = []

  for (let time = 0; time < 3; time += 1) {
    const { failed } = await site.roll()
    expect(failed.length).toBeGreaterThan(24)
    counts.push(site.wanted?.failed?.berths)
    site.wanted = site.wanted === null ? null : resume(site.wanted)
  }

  expect(counts).toEqual([counts[0], counts[0], counts[0]])
})
