import { BerthError, isBerthError } from '../domain/errors.ts'
import type { BerthId } from '../domain/ids.ts'
import { reasonOf } from './bring-berths.ts'
import { compareRuns } from './compare-runs.ts'
import { forgiven, minority } from './forgiven.ts'
import type { RunningRollout, Stop } from './running-rollout.ts'

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
  const found = await Promise.all(sample.map((berthId) => faultOf(rollout, berthId)))
  const faults = found.filter((fault) => fault !== null)
  rollout.emit('rollout.checked', { tested: sample.length, faults: faults.length })
  const reason = `self-test of ${faults.length} of ${sample.length} failed: ${faults[0] ?? ''}`
  if (faults.length > allowedFaults(rollout, sample)) return { kind: 'unhealthy', reason }
  if (faults.length === 0 && sample.some((berthId) => rollout.canaries.has(berthId))) rollout.vouchedFor = true
  return compareRuns(rollout)
}

/** Until canaries vouch for the image, a single fault is forgiven at most. */
const allowedFaults = ({ vouchedFor, canaries }: RunningRollout, sample: readonly BerthId[]): number => {
  const ofTenants = sample.every((berthId) => !canaries.has(berthId))
  return vouchedFor && ofTenants ? minority(sample.length) : forgiven(sample.length)
}

/** From the beginning to the end, so that it holds active and idle ones. */
const spread = (berthIds: readonly BerthId[], count: number): readonly BerthId[] => {
  const step = Math.max(1, berthIds.length / count)
  return Array.from(
    { length: Math.min(count, berthIds.length) },
    (_, index) => berthIds[Math.floor(index * step)] as BerthId,
  )
}

const faultOf = async (rollout: RunningRollout, berthId: BerthId): Promise<string | null> => {
  try {
    const fault = await rollout.retried(() => inTime(rollout, (signal) => examine(rollout, berthId, signal)))
    return fault === null ? null : `${berthId}: ${fault}`
  } catch (error) {
    rollout.signal.throwIfAborted()
    return isBerthError(error) && error.code === 'not_found' ? null : `${berthId}: ${reasonOf(error)}`
  }
}

/** What it says of itself, and whether it runs code: an image may pass the one and fail the other. */
const examine = async (
  { deps, target }: RunningRollout,
  berthId: BerthId,
  signal: AbortSignal,
): Promise<string | null> => {
  const report = await deps.fleet.selfTest(berthId, { signal })
  const wrong = report.checks.filter(({ passed }) => !passed).map(({ name, detail }) => `${name} (${detail})`)
  if (!report.passed) return wrong.join(', ')
  // A fence at a version that the runner does not have would lock everybody out.
  if (report.runnerVersion !== target.version)
    return `expected runner version ${target.version}, got ${report.runnerVersion}`
  return (await deps.probe?.(berthId, { signal })) ?? null
}

const inTime = async <T>(
  { deps, signal, settings }: RunningRollout,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> => {
  const late = new AbortController()
  const ended = new AbortController()
  const { selfTestMs } = settings
  const giveUp = (): void => late.abort(new BerthError('runner_failed', `no answer within ${selfTestMs} ms`))
  deps.clock.sleep(selfTestMs, ended.signal).then(giveUp, () => undefined)
  try {
    return await work(AbortSignal.any([signal, late.signal]))
  } catch (error) {
    signal.throwIfAborted()
    throw late.signal.aborted ? late.signal.reason : error
  } finally {
    ended.abort()
  }
}
