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
  const found = await examineSample(rollout, brought)
  const faults = await countedFaults(rollout, found)
  const sample = found.map(({ berthId }) => berthId)
  rollout.emit('rollout.checked', { tested: sample.length, faults: faults.length })
  const reason = `self-test of ${faults.length} of ${sample.length} failed: ${faults[0] ?? ''}`
  if (faults.length > allowedFaults(rollout, sample)) return { kind: 'unhealthy', reason }
  const isWell = faults.length === 0 && found.some(({ berthId, isGone }) => !isGone && rollout.canaries.has(berthId))
  if (isWell) rollout.vouchedFor = true
  return compareRuns(rollout)
}

interface Examined {
  readonly berthId: BerthId
  readonly fault: string | null
  /** Deleted in the meantime, which is no fault, and says nothing of the image. */
  readonly isGone: boolean
}

/** Others take the place of those that turn out to be suspended. */
const examineSample = async (rollout: RunningRollout, brought: readonly BerthId[]): Promise<readonly Examined[]> => {
  for (;;) {
    const able = brought.filter((berthId) => !rollout.suspended.has(berthId))
    const sample = spread(able, rollout.settings.sample)
    const found = await Promise.all(sample.map((berthId) => examineOne(rollout, berthId)))
    if (sample.every((berthId) => !rollout.suspended.has(berthId))) return found
  }
}

/** A canary that a tenant was given in the meantime is one no more: that tenant's code can spoil its self-test. */
const countedFaults = async (rollout: RunningRollout, found: readonly Examined[]): Promise<readonly string[]> => {
  const { deps, canaries, signal } = rollout
  const faulty = found.filter(({ fault }) => fault !== null)
  if (deps.activity === null || !faulty.some(({ berthId }) => canaries.has(berthId))) return textsOf(faulty)
  const spares = new Set(await deps.activity.canaries({ signal }))
  rollout.canaries = canaries.intersection(spares)
  return textsOf(faulty.filter(({ berthId }) => !canaries.has(berthId) || spares.has(berthId)))
}

const textsOf = (faulty: readonly Examined[]): readonly string[] =>
  faulty.map(({ berthId, fault }) => `${berthId}: ${fault ?? ''}`)

/** Until canaries vouch for the image, a single fault is forgiven at most. */
const allowedFaults = ({ vouchedFor, canaries }: RunningRollout, sample: readonly BerthId[]): number => {
  const ofTenants = sample.every((berthId) => !canaries.has(berthId))
  return vouchedFor && ofTenants ? minority(sample.length) : forgiven(sample.length)
}

const examineOne = async (rollout: RunningRollout, berthId: BerthId): Promise<Examined> => {
  try {
    const fault = await rollout.retried(() => inTime(rollout, (signal) => examine(rollout, berthId, signal)))
    return { berthId, fault, isGone: false }
  } catch (error) {
    rollout.signal.throwIfAborted()
    if (isBerthError(error) && error.code === 'tenant_suspended') rollout.suspended.add(berthId)
    const isGone = isBerthError(error) && error.code === 'not_found'
    return { berthId, fault: isGone ? null : reasonOf(error), isGone }
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
