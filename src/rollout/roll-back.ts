import { BerthError } from '../domain/errors.ts'
import type { Wanted } from '../domain/wanted-image.ts'
import type { RolloutDeps } from './rollout-deps.ts'
import type { RolloutReport } from './rollout-report.ts'
import { type RolloutOptions, RunningRollout } from './running-rollout.ts'
import { sweep } from './sweep.ts'
import { recordFailures } from './update-failures.ts'
import { rollBackTo } from './wanted-changes.ts'

const back = (present: Wanted | null): Wanted => {
  if (present !== null) return rollBackTo(present)
  throw new BerthError('conflict', 'no image was ever wanted, so there is none to go back to')
}

/**
 * All back to the image before, at once and without waves, also when only a part of the fleet was brought to the other one. Cut off, it is
 * started again. @throws {BerthError} conflict, backend_unavailable
 */
export const rollBack = async (
  deps: RolloutDeps,
  { settings, signal }: Omit<RolloutOptions, 'scope'>,
): Promise<RolloutReport> => {
  const wanted = await deps.wanted.change(back, { signal })
  const rollout = new RunningRollout(deps, { settings, signal, scope: { kind: 'all' } }, wanted)
  rollout.move('roll_back')
  const stop = await sweep(rollout)
  if (stop !== null) rollout.stop(stop)
  await recordFailures(rollout)
  return rollout.report()
}
