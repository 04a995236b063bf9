import type { BerthId } from '../domain/ids.ts'
import type { Fleet } from '../domain/ports/fleet.ts'
import type { Wanted } from '../domain/wanted-image.ts'
import { laggardsOf } from './laggards.ts'
import type { Laggard } from './rollout-report.ts'

/** What the berths of a cell ran at a moment: one string for each image, and one id for each berth. */
export interface FleetListing {
  readonly at: Date
  readonly byImage: ReadonlyMap<string, readonly BerthId[]>
}

export interface FleetCount {
  readonly berths: number
  /** Most first. */
  readonly images: readonly { readonly image: string; readonly version: number | null; readonly berths: number }[]
  /** Not more than `LAGGARDS_TOLD` of them. */
  readonly laggards: readonly Laggard[]
  readonly laggardsTotal: number
}

export const LAGGARDS_TOLD = 100

/** The versions of the images that somebody has named to the rollout. */
const versionsOf = (wanted: Wanted | null): ReadonlyMap<string, number> =>
  new Map([wanted?.candidate, wanted?.previous, wanted].flatMap((one) => (one ? [[one.image, one.version]] : [])))

export const listFleet = async (
  fleet: Pick<Fleet, 'list'>,
  at: Date,
  options: { signal: AbortSignal },
): Promise<FleetListing> => {
  const byImage = new Map<string, BerthId[]>()
  for await (const { berthId, image } of fleet.list(options)) {
    const known = byImage.get(image)
    if (known === undefined) byImage.set(image, [berthId])
    else known.push(berthId)
  }
  return { at, byImage }
}

/** A listing against what is wanted now. */
export const countFleet = ({ byImage }: FleetListing, wanted: Wanted | null, now: Date): FleetCount => {
  const versions = versionsOf(wanted)
  const images = [...byImage]
    .map(([image, { length: berths }]) => ({ image, version: versions.get(image) ?? null, berths }))
    .toSorted((one, other) => other.berths - one.berths)
  // Nobody lags behind where nothing is wanted.
  const behind = wanted === null ? null : laggardsOf({ wanted, byImage, now, most: LAGGARDS_TOLD })
  return {
    berths: images.reduce((sum, { berths }) => sum + berths, 0),
    images,
    laggards: behind?.laggards ?? [],
    laggardsTotal: behind?.total ?? 0,
  }
}

/** What one berth runs; the version is null for an image that nobody has named. */
export interface SeenRunner {
  readonly image: string
  readonly version: number | null
  readonly at: Date
}

/** Null for a berth that was not there. Few ask, so nothing is kept ready for it. */
export const runnerIn = ({ at, byImage }: FleetListing, wanted: Wanted | null, berthId: BerthId): SeenRunner | null => {
  const found = [...byImage].find(([, berthIds]) => berthIds.includes(berthId))
  return found === undefined ? null : { image: found[0], version: versionsOf(wanted).get(found[0]) ?? null, at }
}
