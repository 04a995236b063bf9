import type { BerthId } from '../ids.ts'
import type { RunnerReply, RunnerRequest } from '../runner-protocol.ts'

/** What a run needs that does not depend on where berths live; the adapter adds the prefix. */
export type DispatchRequest = Omit<RunnerRequest, 'protocol' | 'kind' | 'prefix'>

export interface DispatchOptions {
  readonly berthId: BerthId
  readonly request: DispatchRequest
  /** Aborting cancels the run; the promise then rejects with the signal's reason or resolves with what was captured. */
  readonly signal: AbortSignal
  /** Called with output while the run goes on, where `capabilities.streamsOutput`. */
  readonly onOutput?: (stream: 'stdout' | 'stderr', text: string) => void
}

/** What the machine or image offers; GET /v1/runtimes shows it. */
export interface RuntimeDescription {
  readonly languages: readonly {
    readonly language: 'python' | 'typescript'
    readonly version: string
    readonly packages: Readonly<Record<string, string>>
  }[]
  readonly runner: { readonly version: number; readonly image: string; readonly level: string }
  /** Shown in every run, for example that there is no sandbox. */
  readonly warnings: readonly string[]
}

/**
 * Where berths of several cells are one backend: `files` when some take them, and a run in a berth that does not is refused as
 * `unsupported`; of the rest what every berth has.
 */
export interface DispatchCapabilities {
  /** Output arrives while the run goes on. */
  readonly streamsOutput: boolean
  /** The run can be stopped from outside and still answers with what was captured. */
  readonly cancels: boolean
  /** Tenants' files can be named in a run. */
  readonly files: boolean
  /** Runs that the backend executes at once over all tenants; more wait in the dispatcher. */
  readonly maxConcurrency: number
}

/** Executes one run in the caller's own berth. Models Berth's words, not those of any cloud. */
export interface Dispatch {
  readonly capabilities: DispatchCapabilities
  /**
   * Resolves however the code ended. Never retries what may have started. An error with `data.runnerVersion` is a refusal:
   * the runner answered that it has not started the code.
   * @throws {BerthError} runner_outdated, runner_failed, malformed_reply, file_not_found, backend_unavailable, berth_waking, berth_broken
   */
  dispatch(options: DispatchOptions): Promise<RunnerReply>
  describe(): Promise<RuntimeDescription>
}
