import { backoffMs, fractionOf } from '../domain/backoff.ts'
import { BerthError, isBerthError } from '../domain/errors.ts'
import type { Lease, StoredRun } from '../domain/ports/store.ts'
import { nextRunStatus } from '../domain/run-transitions.ts'
import { createWake, type Wake } from '../domain/wake.ts'
import { type ActiveRuns, createActiveRuns } from './active-runs.ts'
import { Admission } from './admission.ts'
import type { DispatcherDeps } from './dispatcher.ts'
import { createMend, type Mend } from './mend.ts'
import { RunRecorder } from './run-recorder.ts'
import type { Settings } from './settings.ts'

/** What the parts of one dispatcher share. */
export interface Core extends DispatcherDeps {
  readonly settings: Settings
  readonly admission: Admission
  readonly recorder: RunRecorder
  readonly active: ActiveRuns
  readonly mend: Mend
  /** What every answer of this sandbox level says, for example that there is no sandbox. */
  readonly warningsOf: (level: string) => Promise<readonly string[]>
  /** Wakes the worker of asynchronous runs. */
  readonly work: Wake
  readonly lease: () => Lease
  /** @throws {BerthError} shutting_down */
  readonly assertOpen: () => void
  readonly close: () => void
}

export const createCore = (deps: DispatcherDeps, settings: Settings): Core => {
  const owner = deps.ids.secret()
  const { maxConcurrency } = deps.dispatch.capabilities
  const admission = new Admission(deps.clock, { ...settings.perTenant, maxConcurrency })
  const stopping = new BerthError('shutting_down', 'this server is stopping', { retryAfterSeconds: 1 })
  let open = true
  return {
    ...deps,
    settings,
    admission,
    recorder: new RunRecorder(deps),
    active: createActiveRuns(deps.clock),
    mend: createMend(deps.fleet, deps.clock),
    warningsOf: rememberWarnings(deps.dispatch),
    work: createWake(deps.clock),
    lease: () => ({ owner, until: new Date(deps.clock.now().getTime() + settings.leaseMs) }),
    assertOpen: () => {
      if (!open) throw stopping
    },
    close: () => {
      open = false
      admission.close(stopping)
    },
  }
}

/** Asked once per level, not once per run. */
const rememberWarnings = (dispatch: DispatcherDeps['dispatch']): Core['warningsOf'] => {
  const known = new Map<string, readonly string[]>()
  return async (level) => {
    const warnings = known.get(level) ?? (await dispatch.describe()).warnings
    known.set(level, warnings)
    return warnings
  }
}

const SETTLE_ATTEMPTS = 8
const SETTLE_MAX_MS = 5000

/**
 * Writes where a leased run stands, through an outage as long as the lease may hold. False when the lease was lost and nothing was written.
 * @throws {BerthError} store_unavailable
 */
export const settleLeased = async (core: Core, stored: StoredRun, lease: Lease = core.lease()): Promise<boolean> => {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await core.store.runs.settle(stored.run.id, lease, stored)
    } catch (error) {
      core.events.emit({ code: 'run.settle_failed', level: 'error', runId: stored.run.id, detail: { attempt }, error })
      const outage = isBerthError(error) && error.code === 'store_unavailable'
      if (!outage || attempt === SETTLE_ATTEMPTS) throw error
      const fraction = fractionOf(core.ids.secret())
      const ms = backoffMs({ attempt, baseMs: 100, maxMs: SETTLE_MAX_MS, fraction })
      await core.clock.sleep(ms, new AbortController().signal)
    }
  }
}

/** Lets any process take a leased run after `delayMs`. */
export const handBack = async (core: Core, stored: StoredRun, delayMs: number): Promise<void> => {
  const status = nextRunStatus(stored.run.status, { kind: 'handed_back' }) ?? stored.run.status
  const run = { ...stored.run, status, startedAt: null }
  const until = new Date(core.clock.now().getTime() + delayMs)
  core.events.emit({
    code: 'run.handed_back',
    level: 'info',
    runId: run.id,
    tenantId: stored.tenantId,
    detail: { delayMs },
  })
  await settleLeased(core, { ...stored, run }, { ...core.lease(), until })
}
