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
  const known = new Map(
    [wanted?.candidate, wanted?.previous, wanted].flatMap((one) => (one ? [[one.image, one.version]] : [])),
  )
  const images = [...byImage]
    .map(([image, { length: berths }]) => ({ image, version: known.get(image) ?? null, berths }))
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
