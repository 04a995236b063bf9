import type { BerthId } from '../domain/ids.ts'
import type { Fleet } from '../domain/ports/fleet.ts'
import type { Wanted } from '../domain/wanted-image.ts'
import type { Laggard } from './rollout-report.ts'
import { pinsAt, targetOf } from './wanted-changes.ts'

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

/** A listing against what is wanted now. Nobody lags behind where nothing is wanted. */
export const countFleet = ({ byImage }: FleetListing, wanted: Wanted | null, now: Date): FleetCount => {
  const known = new Map(
    [wanted, wanted?.candidate, wanted?.previous].flatMap((one) => (one ? [[one.image, one.version]] : [])),
  )
  const images = [...byImage]
    .map(([image, { length: berths }]) => ({ image, version: known.get(image) ?? null, berths }))
    .toSorted((one, other) => other.berths - one.berths)
  const behind = wanted === null ? [] : [...byImage].filter(([image]) => image !== targetOf(wanted).image)
  return {
    berths: images.reduce((sum, { berths }) => sum + berths, 0),
    images,
    laggards: wanted === null ? [] : laggardsOf(behind, wanted, now),
    laggardsTotal: behind.reduce((sum, [, { length }]) => sum + length, 0),
  }
}

const laggardsOf = (
  behind: readonly (readonly [string, readonly BerthId[]])[],
  wanted: Wanted,
  now: Date,
): readonly Laggard[] => {
  const pinned = new Map(pinsAt(wanted, now).map((pin) => [pin.berthId, `pinned until ${pin.until}: ${pin.reason}`]))
  const other = wanted.held === undefined ? 'not brought there yet' : `rollouts are held: ${wanted.held}`
  const found: Laggard[] = []
  for (const [, berthIds] of behind)
    for (const berthId of berthIds) {
      if (found.length === LAGGARDS_TOLD) return found
      found.push({ berthId, reason: pinned.get(berthId) ?? other })
    }
  return found
}
