import { expect, test } from 'vitest'
import { createMetrics } from '../../src/main/metrics.ts'
import { berthAt, v1, v2 } from '../rollout/scripted-fleet.ts'

test('berths are counted by image and version, with laggards, pins, fence and whether rollouts are held', async () => {
  const metrics = createMetrics()
  const pins = [{ berthId: berthAt(1), image: v1.image, reason: 'audit', until: '2027-01-01T00:00:00Z' }]
  const wanted = { ...v1, fence: 1, candidate: v2, held: 'lunch', pins }
  const images = [
    { ...v1, berths: 7 },
    { ...v2, berths: 3 },
  ]
  const listed = { at: new Date(), ageSeconds: 12, berths: 10, images, laggards: [], laggardsTotal: 7 }
  let cells = [{ cell: 'home', wanted, updatesFailed: 4, listed, problem: null }]
  metrics.watchFleet(() => cells)

  const text = await metrics.text()
  cells = []
  const empty = await metrics.text()

  const lines = [
    'berth_fleet_berths{cell="home",image="111111111111",version="1",target="false"} 7',
    'berth_fleet_berths{cell="home",image="222222222222",version="2",target="true"} 3',
    'berth_fleet_laggards{cell="home"} 7',
    'berth_fleet_updates_failed{cell="home"} 4',
    'berth_fleet_pins{cell="home"} 1',
    'berth_fleet_fence{cell="home"} 1',
    'berth_fleet_held{cell="home"} 1',
    'berth_fleet_listing_age_seconds{cell="home"} 12',
  ]
  expect(lines.filter((line) => !text.includes(line))).toEqual([])
  expect(text).not.toContain(berthAt(1))
  expect(empty).not.toContain('cell="home"')
})

test('a run that meets the fence is counted by its reason', async () => {
  const metrics = createMetrics()

  metrics.subscriber({ code: 'run.refused', level: 'warn', detail: { reason: 'runner_outdated' } })

  expect(await metrics.text()).toContain('berth_run_refusals_total{reason="runner_outdated"} 1')
})
