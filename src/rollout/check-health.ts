import { BerthError, isBerthError } from '../domain/errors.ts'
import type { BerthId } from '../domain/ids.ts'
import type { BerthRuns } from '../domain/ports/store.ts'
import { reasonOf } from './bring-berths.ts'
import type { RunningRollout, Stop } from './running-rollout.ts'

/** One berth of many may be broken for reasons of its own: suspended, out of memory, deleted in this moment. */
const forgiven = (ofHowMany: number): number => (ofHowMany >= 4 ? 1 : 0)

export const tooManyFailed = ({ failed, settings }: RunningRollout, berthIds: readonly BerthId[]): Stop | null => {
  const allowed = Math.max(forgiven(berthIds.length), Math.floor((berthIds.length * settings.maxFailedPercent) / 100))
  if (failed.size <= allowed) return null
  const own = berthIds.filter((berthId) => failed.has(berthId))
  if (own.length <= allowed) return null
  const reason = `${own.length} of ${berthIds.length} berths could not be updated: ${failed.get(own[0] as BerthId) ?? ''}`
  return { kind: 'unhealthy', reason }
}

/** The gate behind a wave: a sample of it examines itself, and its runs are compared with those on the old image. Null when it is well. */
export const checkHealth = async (rollout: RunningRollout, brought: readonly BerthId[]): Promise<Stop | null> => {
  const sample = spread(brought, rollout.settings.sample)
  const faults = (await Promise.all(sample.map((berthId) => selfTestFault(rollout, berthId)))).filter(
    (fault) => fault !== null,
  )
  rollout.emit('rollout.checked', { tested: sample.length, faults: faults.length })
  if (faults.length > forgiven(sample.length))
    return { kind: 'unhealthy', reason: `self-test of ${faults.length} of ${sample.length} failed: ${faults[0] ?? ''}` }
  return compareRuns(rollout)
}

/** From the beginning to the end, so that it holds active and idle ones. */
const spread = (berthIds: readonly BerthId[], count: number): readonly BerthId[] => {
  const step = Math.max(1, berthIds.length / count)
  return Array.from(
    { length: Math.min(count, berthIds.length) },
    (_, index) => berthIds[Math.floor(index * step)] as BerthId,
  )
}

const selfTestFault = async (rollout: RunningRollout, berthId: BerthId): Promise<string | null> => {
  try {
    const report = await rollout.retried(() => selfTest(rollout, berthId))
    const wrong = report.checks.filter(({ passed }) => !passed).map(({ name, detail }) => `${name} (${detail})`)
    if (!report.passed) return `${berthId}: ${wrong.join(', ')}`
    const { version } = rollout.target
    // A fence at a version that the runner does not have would lock everybody out.
    return report.runnerVersion === version
      ? null
      : `${berthId}: expected runner version ${version}, got ${report.runnerVersion}`
  } catch (error) {
    rollout.signal.throwIfAborted()
    return isBerthError(error) && error.code === 'not_found' ? null : `${berthId}: ${reasonOf(error)}`
  }
}

const selfTest = async ({ deps, signal, settings }: RunningRollout, berthId: BerthId) => {
  const late = new AbortController()
  const ended = new AbortController()
  const { selfTestMs } = settings
  const giveUp = (): void => late.abort(new BerthError('runner_failed', `no answer within ${selfTestMs} ms`))
  deps.clock.sleep(selfTestMs, ended.signal).then(giveUp, () => undefined)
  try {
    return await deps.fleet.selfTest(berthId, { signal: AbortSignal.any([signal, late.signal]) })
  } catch (error) {
    signal.throwIfAborted()
    throw late.signal.aborted ? late.signal.reason : error
  } finally {
    ended.abort()
  }
}

/** Runs that the platform failed, since the rollout began, of berths on the new image against the others. */
const compareRuns = async (rollout: RunningRollout): Promise<Stop | null> => {
  const { deps, settings, signal, startedAt, updated } = rollout
  if (deps.activity === null) return null
  const rows = await deps.activity.runsSince(startedAt, { signal })
  const onNew = shareOf(withoutWorst(rows.filter(({ berthId }) => updated.has(berthId))))
  const onOld = shareOf(rows.filter(({ berthId }) => !updated.has(berthId)))
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

/** Code can make its own runs look like the platform's failures: one tenant alone stops no rollout. */
const withoutWorst = (rows: readonly BerthRuns[]): readonly BerthRuns[] =>
  rows.toSorted((one, other) => other.platformFailures - one.platformFailures).slice(forgiven(rows.length))

const shareOf = (rows: readonly BerthRuns[]): { runs: number; failed: number; percent: number } => {
  const runs = rows.reduce((sum, row) => sum + row.runs, 0)
  const failed = rows.reduce((sum, row) => sum + row.platformFailures, 0)
  return { runs, failed, percent: runs === 0 ? 0 : (failed / runs) * 100 }
}
