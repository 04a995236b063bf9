import type { LocalFleet } from '../backends/local/local-fleet.ts'
import { BerthError } from '../domain/errors.ts'
import { createProbe } from '../rollout/probe-runs.ts'
import type { Dispatch } from '../domain/ports/dispatch.ts'
import type { Ids } from '../domain/ports/ids.ts'
import { orAborted } from '../backends/local/or-aborted.ts'
import type { RunnerImage, Wanted } from '../domain/wanted-image.ts'
import { rollBack } from '../rollout/roll-back.ts'
import type { Activity, RolloutDeps } from '../rollout/rollout-deps.ts'
import { defaultRolloutSettings } from '../rollout/rollout-options.ts'
import type { RolloutReport } from '../rollout/rollout-report.ts'
import { runRollout } from '../rollout/run-rollout.ts'
import { raiseFence, resume, rollBackTo, targetOf } from '../rollout/wanted-changes.ts'
import type { LocalWanted } from './local-wanted.ts'

export interface LocalRolloutsDeps extends Pick<RolloutDeps, 'clock' | 'events'> {
  readonly wanted: LocalWanted
  readonly fleet: LocalFleet
  readonly dispatch: Pick<Dispatch, 'dispatch'>
  readonly ids: Pick<Ids, 'runId' | 'secret'>
}

/** One after the other. What was begun is ended, also when whoever asked for it has gone; closing cuts it off, as a kill would. */
export interface LocalRollouts extends AsyncDisposable {
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
  /**
   * Back to the runner before, which is tested first. Said twice it goes back once.
   * @throws {BerthError} conflict when there is none, or it is behind the fence; backend_unavailable when it is not well; unsupported
   */
  rollBack(options: { readonly signal: AbortSignal }): Promise<RolloutReport>
  /** @throws {BerthError} conflict when it is beyond the runner that is in use */
  fence(version: number, options: { readonly signal: AbortSignal }): Promise<RunnerImage & { readonly fence: number }>
}

/** A berth that is made meanwhile shares the runner, and a runner that failed once is not asked again. */
const settings = { ...defaultRolloutSettings, creationMs: 0, tries: 1 }

export const createLocalRollouts =
  ({ dispatch, ...deps }: LocalRolloutsDeps) =>
  (activity: Activity): LocalRollouts => {
    const { fleet, wanted, ids } = deps
    const rolloutDeps = { ...deps, activity, probe: createProbe(dispatch, ids) }
    const tidy = async (): Promise<void> => {
      await fleet.settled()
      const { image, previous } = await present(wanted)
      await fleet.keepOnly(previous === undefined ? [image] : [image, previous.image]).catch((error: unknown) => {
        deps.events.emit({ code: 'runner.copies_not_swept', level: 'warn', error })
      })
    }
    const alone = createAlone(tidy)

    const start = async ({ dryRun, fence, signal }: Parameters<LocalRollouts['start']>[0]): Promise<RolloutReport> => {
      const target = await fleet.onDisk()
      if (fence !== null && fence > target.version) throw beyond(fence, target.version)
      const atLeast = (before: Wanted | null): Wanted => before ?? { ...target, fence: 0 }
      // It was cut off between an unhealthy check and the way back. Nobody pauses a rollout here.
      if (!dryRun && (await present(wanted)).held !== undefined)
        await wanted.change((before) => resume(atLeast(before)), { signal })
      if (!dryRun && (await isEmpty(fleet, signal))) await fleet.updateAll(target.image, { signal })
      const report = await runRollout(rolloutDeps, {
        target,
        onUnhealthy: 'roll_back',
        scope: { kind: 'all' },
        dryRun,
        settings,
        signal,
      })
      if (fence === null || report.state !== 'done') return report
      await wanted.change((before) => raiseFence(atLeast(before), fence), { signal })
      return report
    }

    const goBack = async (signal: AbortSignal): Promise<RolloutReport> => {
      const before = await present(wanted)
      const back = targetOf(rollBackTo(before))
      if (back.image === targetOf(before).image && wanted.declined() === null) throw nothingBefore(back)
      if (!(await fleet.keeps(back.image))) throw lost(back)
      const brings = back.image !== fleet.present().image
      // Proven before it is wanted: a runner that is not well changes nothing.
      await fleet.updateAll(back.image, { signal })
      const report = await rollBack(rolloutDeps, { settings, signal })
      return { ...report, updated: brings ? report.berths : 0 }
    }

    const fenceOff = async (fence: number, signal: AbortSignal) => {
      const next = await wanted.change((before) => raiseFence(before ?? { ...fleet.present(), fence: 0 }, fence), {
        signal,
      })
      return { image: next.image, version: next.version, fence: next.fence }
    }

    return {
      start: (options) => alone((signal) => start({ ...options, signal }), options.signal),
      rollBack: (options) => alone(goBack, options.signal),
      fence: (version, options) => alone((signal) => fenceOff(version, signal), options.signal),
      [Symbol.asyncDispose]: alone.close,
    }
  }

/** Runs work one after the other. Whoever waits may leave, which ends nothing that was begun: its half would lie there for the next. */
const createAlone = (tidy: () => Promise<void>) => {
  let last: Promise<unknown> = Promise.resolve()
  const closing = new AbortController()
  const { signal } = closing
  const alone = <T>(work: (signal: AbortSignal) => Promise<T>, asked: AbortSignal): Promise<T> => {
    const mine = last.then(async () => {
      AbortSignal.any([asked, signal]).throwIfAborted()
      try {
        return await work(signal)
      } finally {
        if (!signal.aborted) await tidy()
      }
    })
    last = mine.catch(() => undefined)
    return orAborted(mine, asked)
  }
  // A rollout that took the end of its server for the fault of the image would go back, and write that down.
  const close = async (): Promise<void> => {
    closing.abort(new BerthError('shutting_down', 'The server ends; start the rollout again'))
    await last
  }
  return Object.assign(alone, { close })
}

const present = async (wanted: LocalWanted): Promise<Wanted> => {
  const read = await wanted.read({ signal: new AbortController().signal })
  if (read !== null) return read
  throw new BerthError('internal', 'a server on one machine always knows what is wanted')
}

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

const REINSTALL = 'install the release that you want and start a rollout (berth rollout start --local)'

const nothingBefore = ({ version }: RunnerImage): BerthError =>
  new BerthError('conflict', `no runner before version ${version} is known on this machine; ${REINSTALL}`)

const lost = ({ version }: RunnerImage): BerthError =>
  new BerthError('conflict', `the copy of the runner before, version ${version}, is gone or damaged; ${REINSTALL}`)
