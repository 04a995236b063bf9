import type { BerthId } from '../domain/ids.ts'
import type { UpdateFailures, Wanted } from '../domain/wanted-image.ts'
import type { RunningRollout } from './running-rollout.ts'
import { toldReason } from './told-reason.ts'
import { targetOf } from './wanted-changes.ts'

/** So that all of it is a kilobyte of the four that the place takes. */
const REASONS = 3
const BERTHS_EACH = 8

/** Those that the last rollout to the present target could not bring there, as far as they were named. */
export const failuresOf = (wanted: Wanted | null): ReadonlyMap<BerthId, string> =>
  new Map(presentOf(wanted)?.reasons.flatMap(({ reason, berthIds }) => berthIds.map((id) => [id, reason] as const)))

export const failureCountOf = (wanted: Wanted | null): number => presentOf(wanted)?.berths ?? 0

const presentOf = (wanted: Wanted | null): UpdateFailures | undefined =>
  wanted?.failed?.image === (wanted === null ? null : targetOf(wanted).image) ? wanted?.failed : undefined

/** Leaves behind what could not be updated and why, for this process ends; and takes away what an earlier one left and this one has mended. */
export const recordFailures = async (rollout: RunningRollout): Promise<void> => {
  const { deps, signal } = rollout
  const before = await rollout.retried(() => deps.wanted.read({ signal }))
  if (before === null || JSON.stringify(withFailures(before, rollout).failed) === JSON.stringify(before.failed)) return
  await rollout.retried(() => deps.wanted.change((present) => withFailures(present ?? before, rollout), { signal }))
}

const withFailures = (present: Wanted, rollout: RunningRollout): Wanted => {
  const { failed: _, ...rest } = present
  // Somebody has another target by now.
  if (targetOf(present).image !== rollout.target.image) return present
  const earlier = rollout.sawAll ? { berths: 0, named: new Map<BerthId, string>() } : notSeen(present, rollout)
  const named = new Map([...earlier.named, ...[...rollout.failed].map(([id, text]) => [id, toldReason(text)] as const)])
  const berths = rollout.failed.size + earlier.berths
  return berths === 0 ? rest : { ...rest, failed: { image: rollout.target.image, berths, reasons: grouped(named) } }
}

/** Of an earlier rollout, what one of a part of the fleet, or one that was halted, has not come to. */
const notSeen = (present: Wanted, { updated, confirmed, failed }: RunningRollout) => {
  const named = failuresOf(present)
  const left = new Map(
    [...named].filter(([berthId]) => !updated.has(berthId) && !confirmed.has(berthId) && !failed.has(berthId)),
  )
  // Those that nobody named may be the ones that failed now: the same failures are not counted again with every rollout that halts over them.
  const unnamed =
    failureCountOf(present) - named.size - [...failed.keys()].filter((berthId) => !named.has(berthId)).length
  return { named: left, berths: left.size + Math.max(0, unnamed) }
}

const grouped = (named: ReadonlyMap<BerthId, string>): UpdateFailures['reasons'] =>
  [...Map.groupBy(named, ([, reason]) => reason)]
    .toSorted(([, one], [, other]) => other.length - one.length)
    .slice(0, REASONS)
    .map(([reason, berths]) => ({ reason, berthIds: berths.slice(0, BERTHS_EACH).map(([berthId]) => berthId) }))
