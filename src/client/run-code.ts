import type { Run, RunRequestInput, RunStatus } from '../domain/run.ts'
import type { RunEvent } from './run-event.ts'
import type { CreateRunOptions, Runs } from './runs.ts'

/** Above this a connection that only waits is cut by some proxy, or by fetch itself (Node: 300 s). */
const MAX_SYNC_MS = 120_000
const CANCEL_WITHIN_MS = 5_000

export interface RunCodeOptions
  extends Omit<RunRequestInput, 'code' | 'language'>, Omit<CreateRunOptions, 'respondAsync'> {
  /** @default 'python' */
  readonly language?: RunRequestInput['language'] | undefined
  /** Called with output while the code runs. */
  readonly onStdout?: ((text: string) => void) | undefined
  readonly onStderr?: ((text: string) => void) | undefined
  /** Called with every event, output included. */
  readonly onEvent?: ((event: RunEvent) => void) | undefined
}

/**
 * Runs code and resolves with the finished run, however it ended: code that raises is not an error of this call.
 * With a listener it follows the run's events; without one it asks once and waits. Aborting the signal cancels the run.
 * @throws {BerthError} when Berth could not do its job
 */
export type RunCode = (code: string, options?: RunCodeOptions) => Promise<Run>

export const createRunCode =
  (runs: Runs): RunCode =>
  async (code, options = {}) => {
    const { onStdout, onStderr, onEvent, signal, idempotencyKey, language = 'python', ...rest } = options
    const listens = onStdout !== undefined || onStderr !== undefined || onEvent !== undefined
    const respondAsync = listens || (rest.timeoutMs ?? 0) > MAX_SYNC_MS
    const run = await runs.create({ ...rest, language, code }, { respondAsync, idempotencyKey, signal })
    return isOver(run.status) && !listens ? run : follow(runs, run, options)
  }

const follow = async (runs: Runs, run: Run, options: RunCodeOptions): Promise<Run> => {
  try {
    for await (const event of runs.events(run.id, { signal: options.signal })) {
      options.onEvent?.(event)
      if (event.type === 'stdout') options.onStdout?.(event.data.text)
      if (event.type === 'stderr') options.onStderr?.(event.data.text)
      if (event.type === 'run.completed') return event.data
    }
    return await runs.get(run.id, { signal: options.signal })
  } catch (error) {
    if (options.signal?.aborted === true) await cancelQuietly(runs, run.id)
    throw error
  }
}

/** The abort is what the caller must hear of; a cancel that fails leaves the run to its own time limit. */
const cancelQuietly = async (runs: Runs, runId: string): Promise<void> => {
  await runs.cancel(runId, { signal: AbortSignal.timeout(CANCEL_WITHIN_MS) }).catch(() => undefined)
}

const isOver = (status: RunStatus): boolean => !['queued', 'provisioning', 'running'].includes(status)
