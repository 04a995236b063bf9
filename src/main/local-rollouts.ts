import type { LocalFleet } from '../backends/local/local-fleet.ts'
import { BerthError } from '../domain/errors.ts'
import { createProbe } from '../rollout/probe-runs.ts'
import type { Dispatch } from '../domain/ports/dispatch.ts'
import type { Ids } from '../domain/ports/ids.ts'
import type { Activity, RolloutDeps } from '../rollout/rollout-deps.ts'
import { defaultRolloutSettings } from '../rollout/rollout-options.ts'
import type { RolloutReport } from '../rollout/rollout-report.ts'
import { runRollout } from '../rollout/run-rollout.ts'
import { raiseFence } from '../rollout/wanted-changes.ts'

export interface LocalRolloutsDeps extends Pick<RolloutDeps, 'wanted' | 'clock' | 'events'> {
  readonly fleet: LocalFleet
  readonly dispatch: Pick<Dispatch, 'dispatch'>
  readonly ids: Pick<Ids, 'runId' | 'secret'>
}

export interface LocalRollouts {
  /**
   * Brings this machine to the runner that lies in its folder now. When that one does not start, or is not well, the one before goes on.
   * @throws {BerthError} conflict (the fence), config_invalid, unsupported
   */
  start(options: {
    readonly dryRun: boolean
    /** The oldest version that may execute a run from then on; null leaves it. */
    readonly fence: number | null
    readonly signal: AbortSignal
  }): Promise<RolloutReport>
}

/** A berth that is made meanwhile shares the runner, and a runner that failed once is not asked again. */
const settings = { ...defaultRolloutSettings, creationMs: 0, tries: 1 }

export const createLocalRollouts =
  ({ dispatch, ...deps }: LocalRolloutsDeps) =>
  (activity: Activity): LocalRollouts => ({
    start: async ({ dryRun, fence, signal }) => {
      const { fleet, wanted, ids } = deps
      const target = await fleet.onDisk()
      if (fence !== null && fence > target.version) throw beyond(fence, target.version)
      if (!dryRun && (await isEmpty(fleet, signal))) await fleet.updateAll(target.image, { signal })
      const report = await runRollout(
        { ...deps, activity, probe: createProbe(dispatch, ids) },
        { target, onUnhealthy: 'roll_back', scope: { kind: 'all' }, dryRun, settings, signal },
      )
      if (fence === null || report.state !== 'done') return report
      await wanted.change((present) => raiseFence(present ?? { ...target, fence: 0 }, fence), { signal })
      return report
    },
  })

/** Then nobody's update would bring the runner that the first one is to get. */
const isEmpty = async (fleet: LocalFleet, signal: AbortSignal): Promise<boolean> => {
  for await (const _ of fleet.list({ signal })) return false
  return true
}

const beyond = (fence: number, version: number): BerthError =>
  new BerthError(
    'conflict',
    `fence: expected at most ${version}, the version of the runner that is installed, got ${fence}`,
  )
