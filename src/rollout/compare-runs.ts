import type { BerthId } from '../domain/ids.ts'
import type { BerthRuns } from '../domain/ports/store.ts'
import { forgiven, minority } from './forgiven.ts'
import type { RunningRollout, Stop } from './running-rollout.ts'

/** Runs that the platform failed, since the rollout began, of berths on the new image against the others. */
export const compareRuns = async (rollout: RunningRollout): Promise<Stop | null> => {
  const { deps, settings, signal, startedAt } = rollout
  if (deps.activity === null) return null
  // The store knows other cells too, where other images run and other regions are ill.
  const here = new Set(rollout.members.map(({ berthId }) => berthId))
  const rows = (await deps.activity.runsSince(startedAt, { signal })).filter(({ berthId }) => here.has(berthId))
  const brought = broughtBy(rollout)
  const onNew = shareOf(
    withoutWorst(
      rollout,
      rows.filter(({ berthId }) => brought.has(berthId)),
    ),
  )
  // Or one who fails on the old image would hide that everybody does on the new.
  const onOld = shareOf(
    withoutWorst(
      rollout,
      rows.filter(({ berthId }) => !brought.has(berthId)),
    ),
  )
  rollout.emit('rollout.compared', {
    runs: onNew.runs,
    failed: onNew.failed,
    oldRuns: onOld.runs,
    oldFailed: onOld.failed,
  })
  if (onNew.runs < settings.leastRuns) return null
  if (onNew.percent <= onOld.percent + settings.maxExtraFailurePercent) return null
  const reason = `the platform failed ${onNew.failed} of ${onNew.runs} runs on the new image, and ${onOld.failed} of ${onOld.runs} on the old`
  return { kind: 'unhealthy', reason }
}

/** By this rollout, or by one that was cut off before. */
const broughtBy = (rollout: RunningRollout): ReadonlySet<BerthId> =>
  new Set(rollout.members.filter((member) => rollout.isSure(member)).map(({ berthId }) => berthId))

/** The berths that fail most do not count, for their code can do that; an image that fails everybody's runs shows in those that are left. */
const withoutWorst = (rollout: RunningRollout, rows: readonly BerthRuns[]): readonly BerthRuns[] =>
  rows
    .toSorted((one, other) => other.platformFailures - one.platformFailures)
    .slice(rollout.vouchedFor ? Math.max(minority(rows.length), minorityOfRing(rollout)) : forgiven(rows.length))

/** Of those who run code just now a few may be most, because the others rest. */
const minorityOfRing = ({ waves }: RunningRollout): number =>
  minority(waves.find(({ name }) => name === 'ring')?.berths ?? 0)

const shareOf = (rows: readonly BerthRuns[]): { runs: number; failed: number; percent: number } => {
  const runs = rows.reduce((sum, row) => sum + row.runs, 0)
  const failed = rows.reduce((sum, row) => sum + row.platformFailures, 0)
  return { runs, failed, percent: runs === 0 ? 0 : (failed / runs) * 100 }
}
