import { BerthError, isBerthError } from '../domain/errors.ts'
import type { RunLimits } from '../domain/limits.ts'
import type { DispatchRequest } from '../domain/ports/dispatch.ts'
import type { StoredRun } from '../domain/ports/store.ts'
import type { Run, RunRequest } from '../domain/run.ts'
import { nextRunStatus } from '../domain/run-transitions.ts'
import type { Berth } from '../domain/tenant.ts'
import type { Core } from './core.ts'
import { checkResult } from './check-result.ts'
import { dispatchRun } from './dispatch-run.ts'
import type { RunFeed } from './run-feed.ts'
import { type Ending, finishWithError, finishWithReply, withoutContents } from './run-from-reply.ts'
import { storeArtifacts } from './store-artifacts.ts'

export interface Execution {
  readonly stored: StoredRun
  readonly berth: Berth
  readonly request: DispatchRequest
  readonly resultSchema: RunRequest['resultSchema']
  readonly requestId: string | undefined
  /** On the clock that only rises: when the request came. */
  readonly receivedMs: number
  readonly signal: AbortSignal
  readonly feed: RunFeed | null
}

export interface Executed {
  /** With contents of artifacts, for the answer. */
  readonly run: Run
  /** Without, to be remembered. */
  readonly stored: StoredRun
  /** Why Berth could not do its job; null however the code itself ended. */
  readonly error: BerthError | null
}

export const createDispatchRequest = (
  run: Run,
  { language, code, variables, files, profile }: RunRequest,
  limits: RunLimits,
): DispatchRequest => ({
  runId: run.id,
  language,
  code,
  variables,
  files: [...files],
  profile,
  limits,
  // Known when the run is sent, not when it was asked for: it may have waited.
  minRunnerVersion: 0,
})

export const begin = (run: Run, now: Date): Run => ({
  ...run,
  status: nextRunStatus(run.status, { kind: 'started' }) ?? run.status,
  startedAt: now.toISOString(),
})

/** Executes a run that has its place. Never throws: a failure of Berth is a run with `system_error`, and told beside it. */
export const executeRun = async (core: Core, execution: Execution): Promise<Executed> => {
  const { stored, berth, request, receivedMs, signal, feed } = execution
  const queueMs = core.clock.monotonicMs() - receivedMs
  const run = begin(stored.run, core.clock.now())
  feed?.update(run)
  const ending = (): Ending => endingOf(core, receivedMs, queueMs)
  try {
    const onOutput = feed?.output
    const reply = await dispatchRun(core, { berthId: berth.id, request, signal, onOutput })
    const replied = finishWithReply(run, reply, { ...ending(), warnings: await core.warningsOf(reply.runner.level) })
    const finished = checkResult(replied, execution.resultSchema)
    const kept =
      reply.artifacts.length === 0 ? finished : await storeArtifacts(core, { berthId: berth.id, run: finished, reply })
    return executedAs(stored, kept, null)
  } catch (error) {
    // A bug, perhaps one that a reply was made for: thrown on, it would leave the run to be taken up again and again.
    const known = isBerthError(error) ? error : new BerthError('internal', 'the reply broke Berth', { cause: error })
    return executedAs(stored, finishWithError(run, known, ending()), known)
  }
}

/** The end of a run that never began. */
export const endUnstarted = (
  core: Core,
  execution: Omit<Execution, 'berth' | 'request' | 'resultSchema'>,
  error: BerthError,
): Executed => {
  const waitedMs = core.clock.monotonicMs() - execution.receivedMs
  const run = finishWithError(execution.stored.run, error, endingOf(core, execution.receivedMs, waitedMs))
  return executedAs(execution.stored, run, error)
}

const endingOf = (core: Core, receivedMs: number, queueMs: number): Ending => ({
  queueMs,
  totalMs: core.clock.monotonicMs() - receivedMs,
  finishedAt: core.clock.now(),
})

const executedAs = (stored: StoredRun, run: Run, error: BerthError | null): Executed => ({
  run,
  stored: { ...stored, run: withoutContents(run) },
  error: error?.code === 'canceled' ? null : error,
})

export const emitFinished = (core: Core, { run, stored, error }: Executed, requestId: string | undefined): void => {
  const { queueMs, coldStartMs, execMs, totalMs } = run.timings
  core.events.emit({
    code: 'run.finished',
    level: run.status === 'system_error' ? 'error' : 'info',
    runId: run.id,
    tenantId: stored.tenantId,
    berthId: stored.berthId ?? undefined,
    requestId,
    detail: {
      status: run.status,
      failure: run.failure?.code ?? null,
      language: run.language,
      runnerVersion: run.runner?.version ?? null,
      queueMs,
      coldStartMs,
      execMs,
      totalMs,
    },
    // Errors of callers may name their files.
    ...(run.status === 'system_error' ? { error } : {}),
  })
}
