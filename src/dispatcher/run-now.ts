import { errorTable } from '../domain/error-table.ts'
import { BerthError, isBerthError } from '../domain/errors.ts'
import type { StoredRun } from '../domain/ports/store.ts'
import { isTerminal } from '../domain/run.ts'
import type { ActiveRun } from './active-runs.ts'
import type { Ticket } from './admission.ts'
import { assertPayload, checkRequest } from './check-request.ts'
import { type Core, handBack, settleLeased } from './core.ts'
import type { RunAnswer, RunOptions } from './dispatcher.ts'
import {
  begin,
  createDispatchRequest,
  emitFinished,
  endUnstarted,
  type Executed,
  executeRun,
  type Execution,
} from './execute-run.ts'
import { createRunFeed, type RunFeed } from './run-feed.ts'
import { createRun } from './run-from-reply.ts'
import { MAX_QUEUE_MS } from './settings.ts'
import { waitForPlace } from './wait-for-place.ts'

/** A synchronous run: admitted, executed and answered here; its record is written behind the answer unless it has an Idempotency-Key. */
export const runNow = async (core: Core, options: RunOptions): Promise<RunAnswer> => {
  core.assertOpen()
  const receivedMs = core.clock.monotonicMs()
  const limits = checkRequest(options.request, core.settings, core.dispatch.capabilities)
  const run = createRun({ id: core.ids.runId(), language: options.request.language, createdAt: core.clock.now() })
  const request = createDispatchRequest(run, options.request, limits)
  assertPayload(request)
  const room = options.idempotency === null ? core.recorder.room() : null
  if (room !== null) await room
  const { tenant, berth } = await core.berths.ensureBerth(options.who, options)
  core.admission.charge(tenant.id)
  const ticket = core.admission.enter(tenant.id, 'interactive')
  try {
    const stored = { run, tenantId: tenant.id, berthId: berth.id }
    const replay = options.idempotency === null ? null : await insertLeased(core, stored, options)
    if (replay !== null) return replay
    const feed = options.onEvent === undefined ? null : createRunFeed(run, limits.maxOutputBytes)
    const { requestId } = options
    const { resultSchema } = options.request
    const execution = { stored, berth, request, resultSchema, requestId, receivedMs, feed }
    return await inHand(core, options, { execution, ticket })
  } finally {
    ticket.release()
  }
}

interface Hand {
  readonly execution: Omit<Execution, 'signal'>
  readonly ticket: Ticket
}

const inHand = async (core: Core, options: RunOptions, { execution, ticket }: Hand): Promise<RunAnswer> => {
  const { stored, feed } = execution
  const abort = new AbortController()
  const leased = options.idempotency !== null
  const active: ActiveRun = { tenantId: stored.tenantId, runId: stored.run.id, abort, feed, leased }
  const clientLeft = (): void => abort.abort(new BerthError('canceled', 'the caller went away'))
  if (options.signal.aborted) clientLeft()
  options.signal.addEventListener('abort', clientLeft, { once: true })
  core.active.add(active)
  const ended = new AbortController()
  const told = feed === null ? null : tell(feed, options, ended.signal)
  told?.catch(() => undefined)
  try {
    const executed = await execute(core, { ticket, leased, execution: { ...execution, signal: abort.signal } })
    feed?.update(executed.run)
    await told
    return { run: answerOf(executed), tenantId: stored.tenantId, replayed: false }
  } finally {
    if (told !== null) ended.abort()
    options.signal.removeEventListener('abort', clientLeft)
    core.active.remove(active)
  }
}

const tell = async (feed: RunFeed, { onEvent, ...options }: RunOptions, ended: AbortSignal): Promise<void> => {
  const signal = AbortSignal.any([options.signal, ended])
  try {
    for await (const event of feed.follow(null, signal)) onEvent?.(event)
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

interface Work {
  readonly execution: Execution
  readonly ticket: Ticket
  readonly leased: boolean
}

const execute = async (core: Core, { ticket, execution, leased }: Work): Promise<Executed> => {
  const { stored, signal } = execution
  try {
    // To be made durable may have taken until after the stop.
    core.assertOpen()
    await waitForPlace(core.clock, ticket, { maxMs: MAX_QUEUE_MS, signal })
  } catch (error) {
    if (!isBerthError(error)) throw error
    if (errorTable[error.code].retryable) {
      // It is durable, so it is executed later; the same key then answers with it.
      if (leased) await handBack(core, stored, 0)
      throw error
    }
    return remember(core, { execution, leased }, endUnstarted(core, execution, error))
  }
  return remember(core, { execution, leased }, await executeRun(core, execution))
}

const remember = async (
  core: Core,
  { execution, leased }: Omit<Work, 'ticket'>,
  executed: Executed,
): Promise<Executed> => {
  emitFinished(core, executed, execution.requestId)
  if (!leased) core.recorder.add(executed.stored)
  else if (executed.error?.code === 'shutting_down') await handBack(core, execution.stored, 0)
  else if (!(await settleLeased(core, executed.stored)))
    core.events.emit({ code: 'run.lease_lost', level: 'warn', runId: executed.run.id })
  return executed
}

/** @throws {BerthError} why Berth could not execute it */
const answerOf = ({ run, error }: Executed) => {
  if (error === null) return run
  const { code, message, retryAfterSeconds, errors, data } = error
  const after = retryAfterSeconds === undefined ? {} : { retryAfterSeconds }
  throw new BerthError(code, message, { cause: error, errors, data: { ...data, runId: run.id }, ...after })
}

/** Null when it is new; then it is durable and this process holds it. @throws {BerthError} idempotency_in_flight, idempotency_conflict */
const insertLeased = async (core: Core, stored: StoredRun, options: RunOptions): Promise<RunAnswer | null> => {
  if (options.idempotency === null) return null
  const expiresAt = new Date(core.clock.now().getTime() + core.settings.idempotencyMs)
  const insertion = await core.store.runs.insert({
    // As running from the start: a second write to say so would cost as much as the run.
    stored: { ...stored, run: begin(stored.run, core.clock.now()) },
    request: options.request,
    idempotency: { ...options.idempotency, expiresAt },
    lease: core.lease(),
  })
  if (insertion.outcome === 'created') return null
  if (insertion.outcome === 'conflict') throw keyConflict()
  if (isTerminal(insertion.run.status)) return { run: insertion.run, tenantId: stored.tenantId, replayed: true }
  throw new BerthError('idempotency_in_flight', 'the first request with this key still runs', { retryAfterSeconds: 1 })
}

export const keyConflict = (): BerthError =>
  new BerthError('idempotency_conflict', 'this Idempotency-Key came with another body before')
