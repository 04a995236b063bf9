import { Gauge, type Registry } from 'prom-client'
import type { CellFleetReport } from '../rollout/fleet-watch.ts'
import { targetOf } from '../rollout/wanted-changes.ts'

const createGauges = (registry: Registry) => {
  const registers = [registry]
  return {
    berths: new Gauge({
      name: 'berth_fleet_berths',
      help: 'Berths by the image that they run; "target" tells whether it is where the fleet is brought.',
      labelNames: ['cell', 'image', 'version', 'target'],
      registers,
    }),
    laggards: new Gauge({
      name: 'berth_fleet_laggards',
      help: 'Berths that run another image than the one that the fleet is brought to.',
      labelNames: ['cell'],
      registers,
    }),
    updatesFailed: new Gauge({
      name: 'berth_fleet_updates_failed',
      help: 'Berths that the last rollout to the present target could not update.',
      labelNames: ['cell'],
      registers,
    }),
    pins: new Gauge({ name: 'berth_fleet_pins', help: 'Berths that are pinned.', labelNames: ['cell'], registers }),
    fence: new Gauge({
      name: 'berth_fleet_fence',
      help: 'The oldest runner version that may execute a run.',
      labelNames: ['cell'],
      registers,
    }),
    held: new Gauge({
      name: 'berth_fleet_held',
      help: '1 while a rollout is paused or has halted.',
      labelNames: ['cell'],
      registers,
    }),
    age: new Gauge({
      name: 'berth_fleet_listing_age_seconds',
      help: 'How old the listing is that berths and laggards were counted in.',
      labelNames: ['cell'],
      registers,
    }),
  }
}
type Gauges = ReturnType<typeof createGauges>

/** Images are few and are shown by the beginning of their digest; berths are never a label. */
export const watchFleet = (registry: Registry, known: () => readonly CellFleetReport[]): void => {
  // First, for the registry collects in this order.
  const cells: Gauge = new Gauge({
    name: 'berth_fleet_cells',
    help: 'Cells that are configured.',
    registers: [registry],
    collect() {
      const reports = known()
      for (const gauge of Object.values(gauges)) gauge.reset()
      for (const report of reports) show(gauges, report)
      cells.set(reports.length)
    },
  })
  const gauges = createGauges(registry)
}

const show = (gauges: Gauges, { cell, wanted, updatesFailed, listed }: CellFleetReport): void => {
  gauges.updatesFailed.set({ cell }, updatesFailed)
  gauges.fence.set({ cell }, wanted?.fence ?? 0)
  gauges.held.set({ cell }, wanted?.held === undefined ? 0 : 1)
  gauges.pins.set({ cell }, wanted?.pins?.length ?? 0)
  if (listed === null) return
  const target = wanted === null ? null : targetOf(wanted).image
  gauges.age.set({ cell }, listed.ageSeconds)
  gauges.laggards.set({ cell }, listed.laggardsTotal)
  for (const { image, version, berths } of listed.images)
    gauges.berths.set(
      {
        cell,
        image: shortOf(image),
        version: String(version ?? ''),
        target: String(target === null || image === target),
      },
      berths,
    )
}

const shortOf = (image: string): string => image.split('@sha256:').at(-1)?.slice(0, 12) ?? ''
