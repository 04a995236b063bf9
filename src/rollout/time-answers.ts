import type { BerthId } from '../domain/ids.ts'
import { inTime } from './in-time.ts'
import type { Probe } from './probe-runs.ts'
import type { RunningRollout } from './running-rollout.ts'

/** Where another run occupies the environment a new one starts; what starts anew every time is that slow. */
const TRIES_FOR_ONE = 2

/** How long each of these berths takes for runs of Berth's own while it is warm, at its median. Those that fail one are left out. */
export const timeAnswers = async (
  rollout: RunningRollout,
  probe: Probe,
  berthIds: readonly BerthId[],
): Promise<readonly number[]> => {
  const timed = await Promise.all(berthIds.map((berthId) => timeBerth(rollout, () => timeRun(rollout, probe, berthId))))
  return timed.filter((ms) => ms !== null)
}

/** Of an even number the lower one in the middle, so that what exceeds a limit there does so in more than half of them. */
export const medianOf = (numbers: readonly number[]): number | null =>
  numbers.toSorted((one, other) => one - other)[Math.floor((numbers.length - 1) / 2)] ?? null

interface Timed {
  readonly ms: number
  readonly warm: boolean
}

const timeBerth = async (
  { settings: { timedRuns, selfTestMs } }: RunningRollout,
  timeOne: () => Promise<Timed | null>,
): Promise<number | null> => {
  const timed: Timed[] = []
  const warm = () => timed.filter((run) => run.warm)
  // One more, and first, to start the runner.
  for (let tries = 0; tries <= timedRuns * TRIES_FOR_ONE && warm().length < timedRuns; tries += 1) {
    const run = await timeOne()
    if (run === null || run.ms >= selfTestMs) return run?.ms ?? null
    if (tries > 0) timed.push(run)
  }
  return medianOf((warm().length > 0 ? warm() : timed).map(({ ms }) => ms))
}

/** Null when it failed: that is for the self-tests to judge. */
const timeRun = async (rollout: RunningRollout, probe: Probe, berthId: BerthId): Promise<Timed | null> => {
  const { clock } = rollout.deps
  const beganMs = clock.monotonicMs()
  try {
    const { fault, warm } = await inTime(rollout, (signal) => probe(berthId, { signal }))
    return fault === null ? { ms: clock.monotonicMs() - beganMs, warm } : null
  } catch {
    rollout.signal.throwIfAborted()
    const ms = clock.monotonicMs() - beganMs
    return ms >= rollout.settings.selfTestMs ? { ms, warm: true } : null
  }
}
