import type { BerthId } from '../domain/ids.ts'
import type { BerthRuns } from '../domain/ports/store.ts'
import type { RolloutDeps } from './rollout-deps.ts'

const MINUTE_MS = 60_000
/** Each look goes back six times as far as the one before: 10 minutes, an hour, six hours, 36 hours, nine days, then as far as runs are kept. */
const FIRST_MS = 10 * MINUTE_MS
const WIDER = 6
const LOOKS = 5
/** Counting this many takes a store well under a second. */
const ENOUGH_RUNS = 100_000

/**
 * Who was active lately, for the order of the waves. A product has hundreds of millions of runs a month, so it goes no further back than it takes
 * to see half of the fleet, or many runs.
 */
export const recentRuns = async (
  { activity, clock }: Pick<RolloutDeps, 'activity' | 'clock'>,
  members: readonly { readonly berthId: BerthId }[],
  signal: AbortSignal,
): Promise<readonly BerthRuns[]> => {
  if (activity === null) return []
  const here = new Set(members.map(({ berthId }) => berthId))
  const nowMs = clock.now().getTime()
  for (let look = 0; look < LOOKS; look += 1) {
    const runs = await activity.runsSince(new Date(nowMs - FIRST_MS * WIDER ** look), { signal })
    const seen = runs.filter(({ berthId }) => here.has(berthId)).length
    const counted = runs.reduce((sum, one) => sum + one.runs, 0)
    if (seen * 2 >= here.size || counted >= ENOUGH_RUNS) return runs
  }
  return activity.runsSince(new Date(0), { signal })
}
