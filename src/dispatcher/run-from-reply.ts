import { type ErrorCode, errorTable } from '../domain/error-table.ts'
import { BerthError, toldToTenants } from '../domain/errors.ts'
import type { RunId } from '../domain/ids.ts'
import {
  type Artifact,
  createFailure,
  type Failure,
  type Language,
  type Run,
  type TerminalStatus,
} from '../domain/run.ts'
import type { RunnerReply } from '../domain/runner-protocol.ts'

export const createRun = (options: { id: RunId; language: Language; createdAt: Date }): Run => ({
  id: options.id,
  status: 'queued',
  language: options.language,
  results: [],
  logs: { stdout: '', stderr: '', truncated: { stdout: false, stderr: false }, droppedBytes: 0 },
  error: null,
  failure: null,
  artifacts: [],
  usage: { wallMs: 0, cpuMs: 0, peakMemoryMiB: 0 },
  timings: { queueMs: 0, coldStartMs: 0, execMs: 0, totalMs: 0 },
  runner: null,
  warnings: [],
  createdAt: options.createdAt.toISOString(),
  startedAt: null,
  finishedAt: null,
})

export interface Ending {
  readonly queueMs: number
  readonly totalMs: number
  readonly finishedAt: Date
}

interface Replied extends Ending {
  readonly warnings: readonly string[]
}

const codeOfStatus: Record<RunnerReply['outcome']['status'], ErrorCode> = {
  succeeded: 'internal',
  failed: 'code_raised',
  timed_out: 'timeout',
  crashed: 'crashed',
  canceled: 'canceled',
}

/** @throws {BerthError} malformed_reply when it is the reply to another run */
export const finishWithReply = (
  run: Run,
  reply: RunnerReply,
  { queueMs, totalMs, finishedAt, warnings }: Replied,
): Run => {
  if (reply.runId !== run.id)
    throw new BerthError('malformed_reply', 'the reply belongs to another run', { data: { got: reply.runId } })
  const { image, version } = reply.runner
  return {
    ...run,
    status: reply.outcome.status,
    results: reply.results,
    logs: reply.logs,
    error: reply.error,
    failure: failureOf(reply.outcome),
    artifacts: reply.artifacts.map((artifact) => artifactOf(run.id, artifact)),
    usage: { ...reply.usage, wallMs: roundMs(reply.usage.wallMs), cpuMs: roundMs(reply.usage.cpuMs) },
    timings: {
      queueMs: roundMs(queueMs),
      coldStartMs: roundMs(reply.timings.coldStartMs),
      execMs: roundMs(reply.timings.execMs),
      totalMs: roundMs(totalMs),
    },
    runner: { image, version },
    warnings: [...warnings],
    finishedAt: finishedAt.toISOString(),
  }
}

/** Milliseconds to three places: more is noise in every answer. */
const roundMs = (ms: number): number => Math.round(ms * 1000) / 1000

const failureOf = ({ status, code, detail }: RunnerReply['outcome']): Failure | null =>
  status === 'succeeded' ? null : createFailure(code ?? codeOfStatus[status], detail)

const artifactOf = (
  runId: RunId,
  { name, mime, bytes, sha256, content }: RunnerReply['artifacts'][number],
): Artifact => ({
  name,
  mime,
  bytes,
  sha256,
  url: `/v1/runs/${runId}/artifacts/${name.split('/').map(encodeURIComponent).join('/')}`,
  content,
})

/** The end of a run that has no reply: it was canceled, or Berth could not do its job. */
export const finishWithError = (run: Run, error: BerthError, { queueMs, totalMs, finishedAt }: Ending): Run => ({
  ...run,
  status: statusOf(error.code),
  failure: createFailure(error.code, toldToTenants(error)),
  timings: { ...run.timings, queueMs: roundMs(queueMs), totalMs: roundMs(totalMs) },
  finishedAt: finishedAt.toISOString(),
})

const statusOf = (code: ErrorCode): TerminalStatus => {
  if (code === 'canceled' || code === 'tenant_suspended' || code === 'tenant_deleted') return 'canceled'
  return errorTable[code].category === 'platform' ? 'system_error' : 'failed'
}

/** As it is remembered: contents of artifacts lie in the tenant's files. */
export const withoutContents = (run: Run): Run => {
  if (run.artifacts.length === 0) return run
  return { ...run, artifacts: run.artifacts.map((artifact) => ({ ...artifact, content: null })) }
}
