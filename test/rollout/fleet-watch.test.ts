import { expect, test } from 'vitest'
import type { FleetMember } from '../../src/domain/ports/fleet.ts'
import type { Wanted } from '../../src/domain/wanted-image.ts'
import { LAGGARDS_TOLD } from '../../src/rollout/fleet-listing.ts'
import { createFleetWatch } from '../../src/rollout/fleet-watch.ts'
import { hold, pin, promote, propose, raiseFence, resume, rollBackTo, unpin } from '../../src/rollout/wanted-changes.ts'
import { quiet } from '../contract/content.ts'
import { createEventLog } from '../support/event-log.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'
import { berthAt, v1, v2 } from './scripted-fleet.ts'

const on = (image: string, from: number, count: number): readonly FleetMember[] =>
  Array.from({ length: count }, (_, index) => ({ berthId: berthAt(from + index), image }))

const openSite = (members: readonly FleetMember[], wanted: Wanted | null = { ...v1, fence: 0 }, isNear = false) => {
  const clock = createVirtualClock()
  const events = createEventLog()
  const site = { members, wanted, listings: 0, away: false, held: Promise.resolve(), clock, events }
  const fleet = {
    async *list() {
      site.listings += 1
      await site.held
      yield* site.members
    },
  }
  const open = async () => {
    if (site.away) throw new Error('the cell is away')
    return { fleet, wanted: { read: async () => site.wanted } }
  }
  return {
    site,
    watch: createFleetWatch({ cells: [{ cell: 'home', open, ...(isNear && { isNear }) }], clock, events }),
  }
}
const signal = quiet()

test('berths are counted by image against what is wanted now, and laggards have reasons', async () => {
  const until = '2026-01-02T00:00:00Z'
  const pins = [{ berthId: berthAt(5), image: v1.image, reason: 'their audit', until }]
  const { watch } = openSite([...on(v2.image, 0, 3), ...on(v1.image, 3, 4)], { ...v1, fence: 1, candidate: v2, pins })

  const [cell] = await watch.report({ signal })

  expect(cell?.listed).toMatchObject({ berths: 7, laggardsTotal: 4, ageSeconds: 0 })
  expect(cell?.listed?.images).toEqual([
    { ...v1, berths: 4 },
    { ...v2, berths: 3 },
  ])
  expect(cell?.listed?.laggards).toContainEqual({ berthId: berthAt(5), reason: `pinned until ${until}: their audit` })
  expect(cell?.listed?.laggards).toContainEqual({ berthId: berthAt(3), reason: 'not brought there yet' })
})

test('however often it is asked, the fleet is listed once in five minutes; its age is told', async () => {
  const { site, watch } = openSite(on(v1.image, 0, 10))
  for (let asked = 0; asked < 50; asked += 1) await watch.report({ signal })
  await site.clock.advance(299_000)
  const [old] = await watch.report({ signal })
  const before = site.listings
  await site.clock.advance(2000)
  await watch.report({ signal })

  expect([before, site.listings, old?.listed?.ageSeconds]).toEqual([1, 2, 299])
})

test('who asks when the last listing is old gets a new one, or after some seconds the old one with its age', async () => {
  const { site, watch } = openSite(on(v1.image, 0, 10))
  await watch.report({ signal })
  site.members = on(v2.image, 0, 10)
  await site.clock.advance(301_000)
  const [fresh] = await watch.report({ signal })
  const { promise, resolve } = Promise.withResolvers<void>()
  site.held = promise
  await site.clock.advance(301_000)
  const asked = watch.report({ signal })
  await site.clock.advance(5000)
  const [old] = await asked
  resolve()

  expect(fresh?.listed).toMatchObject({ images: [{ image: v2.image, berths: 10 }], ageSeconds: 0 })
  expect(old?.listed?.ageSeconds).toBe(306)
})

test('of many laggards it tells the number and the first', async () => {
  const { watch } = openSite(on(v2.image, 0, 50_000))

  const [cell] = await watch.report({ signal })

  expect(cell?.listed?.laggardsTotal).toBe(50_000)
  expect(cell?.listed?.laggards).toHaveLength(LAGGARDS_TOLD)
})

test('what one berth runs comes from the last listing; of an image that nobody named the version is not known', async () => {
  const { watch } = openSite([...on(v1.image, 0, 2), ...on('r@sha256:other', 2, 1)])
  const runs = (index: number, cell = 'home') => watch.runnerOf({ id: berthAt(index), cell })
  const early = await runs(1)
  await watch.report({ signal })

  expect([early, await runs(3), await runs(1, 'away')]).toEqual([null, null, null])
  expect(await runs(1)).toMatchObject(v1)
  expect(await runs(2)).toMatchObject({ image: 'r@sha256:other', version: null })
})

test('where a listing costs nothing, what a berth runs is looked up for each answer', async () => {
  const { site, watch } = openSite(on(v1.image, 0, 1), { ...v2, fence: 0, previous: v1 }, true)
  await watch.report({ signal })
  const runs = () => watch.runnerOf({ id: berthAt(0), cell: 'home' })
  const before = await runs()
  site.members = on(v2.image, 0, 1)

  expect([before, await runs()]).toMatchObject([v1, v2])
})

test('a cell that is away is told as such, and what was known of it stays', async () => {
  const { site, watch } = openSite(on(v1.image, 0, 2))
  await watch.report({ signal })
  site.away = true
  await site.clock.advance(400_000)

  const [cell] = await watch.report({ signal })

  expect(cell).toMatchObject({ problem: 'the cell is away', listed: { berths: 2, ageSeconds: 400 } })
})

test('what somebody does to the rollouts is told once, with who did it', async () => {
  const { site, watch } = openSite([], { ...v1, fence: 0, by: 'arn:ann' })
  const ended = new AbortController()
  const running = watch.start(ended.signal)
  await site.clock.advance(20_000)
  const one = { berthId: berthAt(1), image: v1.image, reason: 'audit', until: '2026-01-02T00:00:00Z' }
  const steps: readonly ((present: Wanted) => Wanted)[] = [
    (present) => propose(present, v2),
    (present) => hold(present, 'lunch'),
    resume,
    (present) => promote(present, v2),
    (present) => raiseFence(present, 1),
    (present) => pin(present, one),
    (present) => unpin(present, one.berthId),
    (present) => ({ ...present, failed: { image: v2.image, berths: 7, reasons: [{ reason: 'no', berthIds: [] }] } }),
    rollBackTo,
  ]
  for (const step of steps) {
    site.wanted = { ...step(site.wanted ?? { ...v1, fence: 0 }), by: 'arn:ben' }
    await site.clock.advance(40_000)
  }
  ended.abort()
  await running

  expect(site.events.codes()).toEqual([
    'fleet.rollout_started',
    'fleet.held',
    'fleet.resumed',
    'fleet.image_offered',
    'fleet.fenced',
    'fleet.pinned',
    'fleet.unpinned',
    'fleet.updates_failed',
    'fleet.rolled_back',
  ])
  expect(site.events.events.every(({ detail }) => detail?.['by'] === 'arn:ben' && detail['cell'] === 'home')).toBe(true)
  expect(site.events.events[1]).toMatchObject({ level: 'warn', detail: { reason: 'lunch' } })
  expect(site.events.events[7]).toMatchObject({ level: 'warn', detail: { failed: 7, reason: 'no' } })
  expect(site.events.events[5]?.berthId).toBe(berthAt(1))
})

test('a look that began before somebody changed the rollout and ends after another look tells of nothing that never was', async () => {
  const clock = createVirtualClock()
  const events = createEventLog()
  const [before, after] = [
    { ...v1, fence: 0 },
    { ...v1, fence: 0, held: 'lunch' },
  ]
  const [late, early] = [Promise.withResolvers<Wanted>(), Promise.withResolvers<Wanted>()]
  const reads = [Promise.resolve(before), late.promise, early.promise, Promise.resolve(after)]
  const reader = { read: async () => reads.shift() ?? after }
  const open = async () => ({ fleet: { list: async function* () {} }, wanted: reader })
  const watch = createFleetWatch({ cells: [{ cell: 'home', open }], clock, events })
  await watch.report({ signal })

  const both = [watch.report({ signal }), watch.report({ signal })]
  early.resolve(after)
  await both[1]
  late.resolve(before)
  await both[0]
  const [cell] = await watch.report({ signal })

  expect(events.codes()).toEqual(['fleet.held'])
  expect(cell?.wanted).toEqual(after)
})

test('a caller who goes away and a fault that has passed are no problem of the cell', async () => {
  const { site, watch } = openSite(on(v1.image, 0, 2))
  await watch.report({ signal })
  const gone = new AbortController()
  gone.abort(new Error('the caller went away'))
  site.away = true
  await watch.report({ signal: gone.signal }).catch(() => undefined)

  expect(watch.known()[0]?.problem).toBeNull()
  const [during] = await watch.report({ signal })
  site.away = false
  const [since] = await watch.report({ signal })

  expect([during?.problem, since?.problem]).toEqual(['the cell is away', null])
})
