import { isBerthError } from '../domain/errors.ts'
import type { BerthId } from '../domain/ids.ts'
import { reasonOf } from './bring-berths.ts'
import { compareRuns } from './compare-runs.ts'
import { forgiven, minority } from './forgiven.ts'
import { inTime } from './in-time.ts'
import type { RunningRollout, Stop } from './running-rollout.ts'
import { spread } from './spread.ts'

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
  const { sample, found } = await examineSample(rollout, brought)
  const faults = found.filter((fault) => fault !== null)
  rollout.emit('rollout.checked', { tested: sample.length, faults: faults.length })
  const reason = `self-test of ${faults.length} of ${sample.length} failed: ${faults[0] ?? ''}`
  if (faults.length > allowedFaults(rollout, sample)) return { kind: 'unhealthy', reason }
  if (faults.length === 0 && sample.some((berthId) => rollout.canaries.has(berthId))) rollout.vouchedFor = true
  return compareRuns(rollout)
}

interface Examined {
  readonly sample: readonly BerthId[]
  readonly found: readonly (string | null)[]
}

/** Others take the place of those that turn out to be suspended. */
const examineSample = async (rollout: RunningRollout, brought: readonly BerthId[]): Promise<Examined> => {
  for (;;) {
    const able = brought.filter((berthId) => !rollout.suspended.has(berthId))
    const sample = spread(able, rollout.settings.sample)
    const found = await Promise.all(sample.map((berthId) => faultOf(rollout, berthId)))
    if (sample.every((berthId) => !rollout.suspended.has(berthId))) return { sample, found }
  }
}

/** Until canaries vouch for the image, a single fault is forgiven at most. */
const allowedFaults = ({ vouchedFor, canaries }: RunningRollout, sample: readonly BerthId[]): number => {
  const ofTenants = sample.every((berthId) => !canaries.has(berthId))
  return vouchedFor && ofTenants ? minority(sample.length) : forgiven(sample.length)
}

const faultOf = async (rollout: RunningRollout, berthId: BerthId): Promise<string | null> => {
  try {
    const fault = await rollout.retried(() => inTime(rollout, (signal) => examine(rollout, berthId, signal)))
    return fault === null ? null : `${berthId}: ${fault}`
  } catch (error) {
    rollout.signal.throwIfAborted()
    if (isBerthError(error) && error.code === 'tenant_suspended') rollout.suspended.add(berthId)
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
  return (await deps.probe?.(berthId, { signal }))?.fault ?? null
}
