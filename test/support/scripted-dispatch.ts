import type {
  Dispatch,
  DispatchCapabilities,
  DispatchOptions,
  DispatchRequest,
} from '../../src/domain/ports/dispatch.ts'
import type { RunnerReply } from '../../src/domain/runner-protocol.ts'

/** What a runner would have answered; for faults and timings that a real one cannot be made to show. */
export const replyTo = (request: Pick<DispatchRequest, 'runId'>, changes: Partial<RunnerReply> = {}): RunnerReply => ({
  protocol: 1,
  kind: 'reply',
  runId: request.runId,
  outcome: { status: 'succeeded', code: null, detail: '' },
  results: [{ isMain: true, text: '2' }],
  logs: { stdout: 'out', stderr: 'err', truncated: { stdout: false, stderr: false }, droppedBytes: 0 },
  error: null,
  artifacts: [],
  usage: { wallMs: 1, cpuMs: 1, peakMemoryMiB: 1 },
  timings: { coldStartMs: 0, execMs: 1 },
  runner: { version: 1, image: 'local', level: 'scripted' },
  ...changes,
})

/** How a backend answers that obeys its signal: with what it has captured. */
export const canceledReply = (request: Pick<DispatchRequest, 'runId'>): RunnerReply =>
  replyTo(request, { outcome: { status: 'canceled', code: 'canceled', detail: 'told to stop' }, results: [] })

export type Answer = (options: DispatchOptions) => Promise<RunnerReply> | RunnerReply

export interface ScriptedDispatch extends Dispatch {
  /** Requests in the order in which they came. */
  readonly requests: readonly DispatchRequest[]
  answer: Answer
}

export const createScriptedDispatch = (
  answer: Answer = ({ request }) => replyTo(request),
  capabilities: Partial<DispatchCapabilities> = {},
): ScriptedDispatch => {
  const requests: DispatchRequest[] = []
  const dispatch: ScriptedDispatch = {
    requests,
    answer,
    capabilities: { streamsOutput: true, cancels: true, files: true, maxConcurrency: 4, ...capabilities },
    dispatch: async (options) => {
      requests.push(options.request)
      return dispatch.answer(options)
    },
    describe: async () => ({ languages: [], runner: { version: 1, image: 'local', level: 'scripted' }, warnings: [] }),
  }
  return dispatch
}

/** Resolves when the signal is aborted. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
