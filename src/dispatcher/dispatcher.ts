import type { BerthError } from '../domain/errors.ts'
import type { RunId, TenantId } from '../domain/ids.ts'
import type { RunLimits } from '../domain/limits.ts'
import type { Clock } from '../domain/ports/clock.ts'
import type { Dispatch } from '../domain/ports/dispatch.ts'
import type { Events } from '../domain/ports/events.ts'
import type { Fences } from '../domain/ports/fences.ts'
import type { Fleet } from '../domain/ports/fleet.ts'
import type { Ids } from '../domain/ports/ids.ts'
import type { Page, PageRequest, Store, StoredRun } from '../domain/ports/store.ts'
import type { TenantFiles } from '../domain/ports/tenant-files.ts'
import type { Run, RunRequest, RunStatus } from '../domain/run.ts'
import type { Berth, ExternalId, Tenant } from '../domain/tenant.ts'
import { cancelRun } from './cancel-run.ts'
import { type Core, createCore } from './core.ts'
import { deleteExpired } from './delete-expired.ts'
import { followRun, getRun } from './follow-run.ts'
import { keepRunLeases } from './keep-run-leases.ts'
import { workOnQueue } from './queued-runs.ts'
import type { RunEvent } from './run-event.ts'
import { runNow } from './run-now.ts'
import { createSettings } from './settings.ts'
import { submitRun } from './submit-run.ts'
import { sweepArtifacts } from './sweep-artifacts.ts'

export interface DispatcherDeps {
  readonly store: Pick<Store, 'runs'> & { readonly berths: Pick<Store['berths'], 'list'> }
  readonly dispatch: Dispatch
  readonly fleet: Pick<Fleet, 'update'>
  /** @default no fence */
  readonly fences?: Fences
  readonly files: Pick<TenantFiles, 'put' | 'deleteAll' | 'deleteStrays' | 'listRuns'>
  /** The provisioner, as far as a run needs it. */
  readonly berths: {
    ensureBerth(
      who: TenantId | ExternalId,
      options: { signal: AbortSignal },
    ): Promise<{ readonly tenant: Tenant; readonly berth: Berth }>
    onClosed(listener: (tenantId: TenantId, why: BerthError) => void): void
    findClosed(tenantIds: readonly TenantId[]): Promise<ReadonlyMap<TenantId, BerthError>>
  }
  readonly clock: Clock
  readonly ids: Ids
  readonly events: Events
}

export interface DispatcherOptions {
  /** Defaults of a run, and the sizes that no run may exceed. @default defaultRunLimits */
  readonly limits?: RunLimits
  /** What a caller may ask for at most. @default 900000 */
  readonly maxTimeoutMs?: number
  /** What a caller may ask for at most. @default limits.memoryMiB */
  readonly maxMemoryMiB?: number
  /** @default { perSecond: 20, burst: 40, concurrency: 4, waiting: 32, queued: 100 } */
  readonly perTenant?: Partial<TenantLimits>
  /** How long a finished run can be read. @default 7 days */
  readonly retentionMs?: number
  /** How long an Idempotency-Key is remembered. @default 24 hours */
  readonly idempotencyMs?: number
  /** Time that running runs get to end when the server stops. @default 20000 */
  readonly drainMs?: number
  /** How long a killed process keeps its asynchronous runs from others. @default 30000 */
  readonly leaseMs?: number
}

export interface TenantLimits {
  /** Runs per second in the long run. */
  readonly perSecond: number
  /** Runs at once after a rest. */
  readonly burst: number
  /** Runs that execute at the same time. */
  readonly concurrency: number
  /** Synchronous runs that wait for a place. */
  readonly waiting: number
  /** Asynchronous runs that wait in the store. */
  readonly queued: number
}

export interface RunOptions {
  readonly who: TenantId | ExternalId
  readonly request: RunRequest
  /** `requestHash` is sha256 of the canonical request. */
  readonly idempotency: { readonly key: string; readonly requestHash: string } | null
  readonly requestId: string
  /** Aborting cancels a synchronous run: the client went away. */
  readonly signal: AbortSignal
  /** Synchronous runs only: what happens, while it happens. All of it has been called when `run` resolves. */
  readonly onEvent?: (event: RunEvent) => void
}

export interface RunAnswer {
  readonly run: Run
  readonly tenantId: TenantId
  /** True when the same Idempotency-Key had been used before and this is that run. */
  readonly replayed: boolean
}

/** Admits a run, brings it to the tenant's own berth, checks the reply and remembers it. */
export interface Dispatcher extends AsyncDisposable {
  /**
   * Executes now and answers with the finished run, however the code ended.
   * @throws {BerthError} invalid_request, source_too_large, payload_too_large, unsupported, rate_limited, queue_full, file_not_found,
   * idempotency_in_flight, idempotency_conflict, store_unavailable, shutting_down, what ensureBerth throws, what Dispatch throws
   */
  run(options: RunOptions): Promise<RunAnswer>
  /** Durable when it resolves with the queued run. A replay answers with the first run, whatever its state. @throws {BerthError} as `run` */
  submit(options: Omit<RunOptions, 'onEvent'>): Promise<RunAnswer>
  /** @throws {BerthError} not_found, conflict (it has already ended) */
  cancel(tenantId: TenantId, runId: RunId): Promise<Run>
  /** @throws {BerthError} not_found */
  get(tenantId: TenantId, runId: RunId): Promise<StoredRun>
  list(options: PageRequest & { tenantId: TenantId; status: RunStatus | null }): Promise<Page<Run>>
  /** From the beginning, or after `lastEventId`; ends after `run.completed`. @throws {BerthError} not_found, invalid_request (lastEventId) */
  events(
    tenantId: TenantId,
    runId: RunId,
    options: { lastEventId: string | null; signal: AbortSignal },
  ): AsyncIterable<RunEvent>
  /** Executes asynchronous runs, keeps leases, deletes what is too old, until the signal is aborted; then drains and resolves. */
  start(signal: AbortSignal): Promise<void>
}

/** Wiring only; each part is a file of its own. */
export const createDispatcher = (deps: DispatcherDeps, options: DispatcherOptions): Dispatcher => {
  const core = createCore(deps, createSettings(options))
  deps.berths.onClosed(core.active.abortTenant)
  return {
    run: (request) => runNow(core, request),
    submit: (request) => submitRun(core, request),
    cancel: (tenantId, runId) => cancelRun(core, tenantId, runId),
    get: (tenantId, runId) => getRun(core, tenantId, runId),
    list: async (request) => {
      // What was answered a moment ago must be in the list.
      await core.recorder.flush()
      return core.store.runs.list(request)
    },
    events: (tenantId, runId, reader) => followRun(core, { tenantId, runId, ...reader }),
    start: (signal) => start(core, signal),
    [Symbol.asyncDispose]: () => core.recorder[Symbol.asyncDispose](),
  }
}

const start = async (core: Core, signal: AbortSignal): Promise<void> => {
  const stopped = new AbortController()
  const loops = [keepRunLeases(core, stopped.signal), deleteExpired(core, signal), sweepArtifacts(core, signal)].map(
    untilAborted,
  )
  await workOnQueue(core, signal)
  core.close()
  // Leases are kept until the last run has ended or was handed back.
  await core.active.drain(core.settings.drainMs)
  stopped.abort()
  await Promise.all(loops)
  await core.recorder[Symbol.asyncDispose]()
}

/** Loops end with the reason of their signal. */
const untilAborted = (loop: Promise<never>): Promise<void> => loop.catch(() => undefined)
