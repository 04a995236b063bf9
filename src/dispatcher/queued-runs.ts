import { errorTable } from '../domain/error-table.ts'
import { BerthError, isBerthError } from '../domain/errors.ts'
import type { QueuedRun } from '../domain/ports/store.ts'
import type { ActiveRun } from './active-runs.ts'
import type { Ticket } from './admission.ts'
import { checkRequest } from './check-request.ts'
import { type Core, handBack, settleLeased } from './core.ts'
import {
  begin,
  createDispatchRequest,
  emitFinished,
  endUnstarted,
  type Executed,
  executeRun,
  type Execution,
} from './execute-run.ts'
import { createRunFeed } from './run-feed.ts'
import { waitForPlace } from './wait-for-place.ts'

/** Executions of one run that the backend refused before it ends as system_error. */
const MAX_ATTEMPTS = 3
/**
 * Processes that may die under one run before it ends as system_error. A server that is killed again and again must lose no run,
 * and a run that itself kills servers must end.
 */
const MAX_DEATHS = 10
const POLL_MS = 2000
/** After a failure that may pass, another try waits so long. */
const RETRY_MS = 5000
const LEASED_AT_ONCE = 16

/** Takes queued runs, and those of processes that died, until the signal is aborted. */
export const workOnQueue = async (core: Core, signal: AbortSignal): Promise<void> => {
  while (!signal.aborted) {
    const taken = await take(core).catch((error: unknown) => {
      core.events.emit({ code: 'dispatcher.store_failed', level: 'error', error })
      return 0
    })
    if (taken < LEASED_AT_ONCE) await core.work.wait(POLL_MS, signal)
  }
}

const take = async (core: Core): Promise<number> => {
  // What waits here for its tenant's place, up to that tenant's whole queue, must not hide the others in the store.
  const most = core.dispatch.capabilities.maxConcurrency + core.settings.perTenant.queued
  const limit = Math.min(LEASED_AT_ONCE, most - core.active.leased().length)
  if (limit <= 0) return 0
  const due = await core.store.runs.lease({ lease: core.lease(), limit, now: core.clock.now() })
  // A lease of our own may seem to have ended after a jump of the clock or an outage of the store.
  const mine = new Set(core.active.leased())
  for (const queued of due) if (!mine.has(queued.run.id)) void workOn(core, queued)
  return due.length
}

const workOn = async (core: Core, queued: QueuedRun): Promise<void> => {
  const { tenantId, run } = queued
  const feed = createRunFeed(run, core.settings.limits.maxOutputBytes)
  const active: ActiveRun = { tenantId, runId: run.id, abort: new AbortController(), feed, leased: true }
  core.active.add(active)
  try {
    const executed = await execute(core, queued, active)
    if (executed === null) return
    emitFinished(core, executed, undefined)
    if (await settleLeased(core, executed.stored)) feed.update(executed.run)
    else core.events.emit({ code: 'run.lease_lost', level: 'warn', runId: run.id, tenantId })
  } catch (error) {
    // The lease runs out, and then it is taken again.
    core.events.emit({ code: 'run.attempt_lost', level: 'error', runId: run.id, tenantId, error })
  } finally {
    core.active.remove(active)
    core.work.wake()
  }
}

/** Null when it does not end here: it was handed back, or it is another's. */
const execute = async (core: Core, queued: QueuedRun, { abort, feed }: ActiveRun): Promise<Executed | null> => {
  const { signal } = abort
  const waitedMs = Math.max(0, core.clock.now().getTime() - Date.parse(queued.run.createdAt))
  const receivedMs = core.clock.monotonicMs() - waitedMs
  const stored = { run: queued.run, tenantId: queued.tenantId, berthId: queued.berthId }
  const waiting = { stored, requestId: undefined, receivedMs, signal, feed }
  if (queued.attempts > MAX_DEATHS && queued.run.status === 'running')
    return endUnstarted(core, waiting, diedTooOften(queued.attempts - 1))
  let ticket: Ticket | null = null
  try {
    const { berth } = await core.berths.ensureBerth(queued.tenantId, { signal })
    ticket = core.admission.enter(queued.tenantId, 'background')
    await waitForPlace(core.clock, ticket, { maxMs: null, signal })
    const begun = { ...stored, berthId: berth.id, run: begin(stored.run, core.clock.now()) }
    if (!(await settleLeased(core, begun))) return null
    const { resultSchema } = queued.request
    const request = requestOf(core, queued)
    const executed = await executeRun(core, { ...waiting, berth, stored: begun, request, resultSchema })
    return executed.error === null ? executed : await giveUpOrBack(core, queued, executed)
  } catch (error) {
    if (!isBerthError(error)) throw error
    return await giveUpOrBack(core, queued, endUnstarted(core, waiting, error))
  } finally {
    ticket?.release()
  }
}

const requestOf = (core: Core, { run, request }: QueuedRun): Execution['request'] =>
  createDispatchRequest(run, request, checkRequest(request, core.settings, core.dispatch.capabilities))

const giveUpOrBack = async (core: Core, queued: QueuedRun, executed: Executed): Promise<Executed | null> => {
  const { error, stored } = executed
  if (error === null || !errorTable[error.code].retryable) return executed
  if (error.code === 'provisioning_failed') return executed
  const waits = error.code === 'tenant_provisioning' || error.code === 'shutting_down'
  if (!waits && queued.attempts >= MAX_ATTEMPTS) return executed
  await handBack(core, { ...stored, run: queued.run }, error.code === 'shutting_down' ? 0 : RETRY_MS)
  return null
}

const diedTooOften = (attempts: number): BerthError =>
  new BerthError('runner_failed', `the process that executed it died, ${attempts} times`)
