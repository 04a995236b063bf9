import { BerthError } from '../../domain/errors.ts'
import type { RunnerReply } from '../../domain/runner-protocol.ts'
import { RUNNER_PROTOCOL } from '../../domain/runner-protocol.ts'
import type { FunctionFailure, Invoked } from './invoke-berth.ts'
import type { InvokeReport } from './invoke-report.ts'

type Outcome = RunnerReply['outcome']

/** What is left of the memory when the kernel ends a process for it: the figure is sampled, so it may stay a little below. */
const NEARLY_ALL = 0.95

const ranOutOfMemory = ({ type, message }: FunctionFailure, { memoryMiB, peakMemoryMiB }: InvokeReport): boolean => {
  if (type === 'Runtime.OutOfMemory') return true
  if (type !== 'Runtime.ExitError' || !message.includes('signal: killed')) return false
  return memoryMiB === null || peakMemoryMiB === null || peakMemoryMiB >= memoryMiB * NEARLY_ALL
}

const outcomeOf = (failure: FunctionFailure, report: InvokeReport): Outcome | null => {
  const { type, message } = failure
  if (type === 'Sandbox.Timedout' || /Task timed out after/.test(message)) {
    const detail = 'The berth ended the run at its own time limit; what the run printed is lost'
    return { status: 'timed_out', code: 'timeout', detail }
  }
  if (ranOutOfMemory(failure, report)) {
    const limit = report.memoryMiB === null ? 'the memory' : `the ${report.memoryMiB} MiB`
    return { status: 'crashed', code: 'out_of_memory', detail: `The run used up ${limit} of its berth` }
  }
  if (type === 'Runtime.ExitError' && !report.initFailed)
    return { status: 'crashed', code: 'crashed', detail: 'The run took its runner down with it' }
  if (type === 'Function.ResponseSizeTooLarge')
    return {
      status: 'failed',
      code: 'result_too_large',
      detail: 'The reply of the run was larger than a berth can send',
    }
  return null
}

/** The runner could not tell of itself any more. */
const unknownRunner: RunnerReply['runner'] = { version: 0, image: 'unknown', level: 'unknown' }

const endedReply = (runId: string, outcome: Outcome, report: InvokeReport): RunnerReply => ({
  protocol: RUNNER_PROTOCOL,
  kind: 'reply',
  runId,
  outcome,
  results: [],
  logs: { stdout: '', stderr: '', truncated: { stdout: false, stderr: false }, droppedBytes: 0 },
  error: null,
  artifacts: [],
  usage: { wallMs: report.durationMs ?? 0, cpuMs: 0, peakMemoryMiB: report.peakMemoryMiB ?? 0 },
  timings: { coldStartMs: report.initMs ?? 0, execMs: report.durationMs ?? 0 },
  runner: unknownRunner,
})

/** A function that gave no answer of its own, as an error of Berth: for all that is not a run. */
export const functionFailed = ({ failure, requestId }: Invoked): BerthError => {
  const data = { started: null, errorType: failure?.type, errorMessage: failure?.message, requestId }
  return new BerthError('runner_failed', 'The runner broke down before it answered', { data })
}

/**
 * A run whose runner the platform ended: what is known of it, with the platform's own figures and without output.
 * @throws {BerthError} runner_failed when the runner itself broke
 */
export const endedByPlatform = (runId: string, invoked: Invoked, failure: FunctionFailure): RunnerReply => {
  const outcome = outcomeOf(failure, invoked.report)
  if (outcome === null) throw functionFailed(invoked)
  return endedReply(runId, outcome, invoked.report)
}
