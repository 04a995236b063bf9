import type { BerthId } from '../domain/ids.ts'
import type { Wanted } from '../domain/wanted-image.ts'
import type { Laggard } from './rollout-report.ts'
import { failuresOf } from './update-failures.ts'
import { pinsAt, targetOf } from './wanted-changes.ts'

interface Behind {
  readonly wanted: Wanted
  readonly byImage: ReadonlyMap<string, readonly BerthId[]>
  readonly now: Date
  readonly most: number
}

/**
 * Who is not where the fleet is brought, and why; those whose update failed first. Of these the listing may say that they are there: it tells
 * the image of an update that has failed.
 */
export const laggardsOf = ({ wanted, byImage, now, most }: Behind): { laggards: readonly Laggard[]; total: number } => {
  const target = targetOf(wanted).image
  const failures = failuresOf(wanted)
  const pinned = new Map(pinsAt(wanted, now).map((pin) => [pin.berthId, `pinned until ${pin.until}: ${pin.reason}`]))
  const other = wanted.held === undefined ? 'not brought there yet' : `rollouts are held: ${wanted.held}`
  const failed: Laggard[] = []
  const others: Laggard[] = []
  let total = 0
  for (const [image, berthIds] of byImage)
    for (const berthId of berthIds) {
      const failure = failures.get(berthId)
      if (image === target && failure === undefined) continue
      total += 1
      if (failure !== undefined) failed.push({ berthId, reason: `its update failed: ${failure}` })
      else if (others.length < most) others.push({ berthId, reason: pinned.get(berthId) ?? other })
    }
  return { laggards: [...failed, ...others].slice(0, most), total }
}
