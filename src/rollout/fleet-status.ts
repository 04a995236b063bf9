import type { FleetMember } from '../domain/ports/fleet.ts'
import type { Pin, RunnerImage, Wanted } from '../domain/wanted-image.ts'
import type { Laggard } from './rollout-report.ts'
import { pinsAt, targetOf } from './wanted-changes.ts'

export interface FleetStatus {
  readonly target: RunnerImage
  /** New berths get it already. */
  readonly offered: boolean
  readonly fence: number
  /** Why no rollout goes on; null when one may. */
  readonly held: string | null
  readonly berths: number
  /** Most first. */
  readonly images: readonly { readonly image: string; readonly version: number | null; readonly berths: number }[]
  readonly laggards: readonly Laggard[]
  readonly pins: readonly Pin[]
}

/** Where a cell stands: what is wanted against what runs. */
export const fleetStatusOf = (wanted: Wanted, members: readonly FleetMember[], now: Date): FleetStatus => {
  const target = targetOf(wanted)
  const pins = pinsAt(wanted, now)
  const pinned = new Map(pins.map((pin) => [pin.berthId, `pinned until ${pin.until}: ${pin.reason}`]))
  const known = new Map(
    [wanted, wanted.candidate, wanted.previous].flatMap((one) => (one ? [[one.image, one.version]] : [])),
  )
  const images = [...Map.groupBy(members, ({ image }) => image)]
    .map(([image, { length: berths }]) => ({ image, version: known.get(image) ?? null, berths }))
    .toSorted((one, other) => other.berths - one.berths)
  const laggards = members
    .filter(({ image }) => image !== target.image)
    .map(({ berthId }) => ({ berthId, reason: pinned.get(berthId) ?? 'not brought there yet' }))
  return {
    target,
    offered: wanted.candidate === undefined,
    fence: wanted.fence,
    held: wanted.held ?? null,
    berths: members.length,
    images,
    laggards,
    pins,
  }
}
