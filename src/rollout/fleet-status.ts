import type { FleetMember } from '../domain/ports/fleet.ts'
import type { Pin, RunnerImage, Wanted } from '../domain/wanted-image.ts'
import { laggardsOf } from './laggards.ts'
import type { Laggard } from './rollout-report.ts'
import { failureCountOf } from './update-failures.ts'
import { pinsAt, targetOf } from './wanted-changes.ts'

export interface FleetStatus {
  readonly target: RunnerImage
  /** New berths get it already, and as this version. */
  readonly offered: boolean
  readonly fence: number
  /** Why no rollout goes on; null when one may. */
  readonly held: string | null
  readonly berths: number
  /** Most first. */
  readonly images: readonly { readonly image: string; readonly version: number | null; readonly berths: number }[]
  /** By the last rollout to the target, of these or of more than are named here. */
  readonly updatesFailed: number
  readonly laggards: readonly Laggard[]
  readonly pins: readonly Pin[]
}

/** Where a cell stands: what is wanted against what runs. */
export const fleetStatusOf = (wanted: Wanted, members: readonly FleetMember[], now: Date): FleetStatus => {
  const target = targetOf(wanted)
  // Last what is wanted: a candidate may be the same image under a version that nobody has seen yet.
  const known = new Map(
    [wanted.candidate, wanted.previous, wanted].flatMap((one) => (one ? [[one.image, one.version]] : [])),
  )
  const byImage = new Map(
    [...Map.groupBy(members, ({ image }) => image)].map(([image, ones]) => [image, ones.map(({ berthId }) => berthId)]),
  )
  const images = [...byImage]
    .map(([image, { length: berths }]) => ({ image, version: known.get(image) ?? null, berths }))
    .toSorted((one, other) => other.berths - one.berths)
  return {
    target,
    offered: wanted.candidate === undefined,
    fence: wanted.fence,
    held: wanted.held ?? null,
    berths: members.length,
    images,
    updatesFailed: failureCountOf(wanted),
    laggards: laggardsOf({ wanted, byImage, now, most: Infinity }).laggards,
    pins: pinsAt(wanted, now),
  }
}
