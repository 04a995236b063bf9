import type { Run, RunRequestInput, RunStatus } from '../domain/run.ts'
import { entriesOf } from './pages.ts'
import { type EventsOptions, followRun } from './run-events.ts'
import type { RunEvent } from './run-event.ts'
import type { Transport } from './transport.ts'
import type { Page } from './wire.ts'

const DEFAULT_RUN_MS = 30_000
/** What a synchronous answer may take beyond the run itself: the queue, and making the berth. */
const WAIT_MARGIN_MS = 60_000

export interface Waiting {
  readonly signal?: AbortSignal | undefined
}

export interface CreateRunOptions extends Waiting {
  /** Answer at once with the queued run; `wait` or `events` tell its end. @default false */
  readonly respondAsync?: boolean | undefined
  /**
   * Makes the same request arrive once, however often it is sent. The client makes one up, so that it may try again
   * after a broken connection; null sends none, and then it does not.
   */
  readonly idempotencyKey?: string | null | undefined
}

export interface ListRunsOptions extends Waiting {
  readonly status?: RunStatus | undefined
  /** Runs per request, at most 100. @default 20 */
  readonly pageSize?: number | undefined
}

export interface Runs {
  /** The finished run; or a run under way with `respondAsync`, or when the server would not wait that long. */
  create(request: RunRequestInput, options?: CreateRunOptions): Promise<Run>
  /** @throws {BerthError} not_found */
  get(runId: string, options?: Waiting): Promise<Run>
  /** Newest first, page after page as they are needed. */
  list(options?: ListRunsOptions): AsyncIterable<Run>
  /** The run as it is after the request; a running one ends a moment later. @throws {BerthError} not_found, conflict when it has ended */
  cancel(runId: string, options?: Waiting): Promise<Run>
  /** Every event once, over broken connections too, until `run.completed`. */
  events(runId: string, options?: EventsOptions): AsyncIterable<RunEvent>
  /** Resolves with the run when it has ended, however it ended. */
  wait(runId: string, options?: Waiting): Promise<Run>
}

export const createRuns = (transport: Transport): Runs => {
  const events = (runId: string, options: EventsOptions = {}) => followRun(transport, runId, options)

  return {
    create(request, { respondAsync = false, idempotencyKey = randomKey(), signal } = {}) {
      return transport.json<Run>({
        method: 'POST',
        path: ['v1', 'runs'],
        json: request,
        headers: {
          ...(idempotencyKey === null ? {} : { 'Idempotency-Key': idempotencyKey }),
          ...(respondAsync ? { Prefer: 'respond-async' } : {}),
        },
        repeat: idempotencyKey === null ? 'unstarted' : 'always',
        ...(respondAsync ? {} : { timeoutMs: (request.timeoutMs ?? DEFAULT_RUN_MS) + WAIT_MARGIN_MS }),
        signal,
      })
    },
    get: (runId, { signal } = {}) =>
      transport.json<Run>({ method: 'GET', path: ['v1', 'runs', runId], repeat: 'always', signal }),
    list: ({ status, pageSize, signal } = {}) =>
      entriesOf((cursor) =>
        transport.json<Page<Run>>({
          method: 'GET',
          path: ['v1', 'runs'],
          query: { status, limit: pageSize, cursor },
          repeat: 'always',
          signal,
        }),
      ),
    cancel: (runId, { signal } = {}) =>
      transport.json<Run>({ method: 'POST', path: ['v1', 'runs', runId, 'cancel'], repeat: 'always', signal }),
    events,
    async wait(runId, { signal } = {}) {
      for await (const event of events(runId, { signal })) if (event.type === 'run.completed') return event.data
      // followRun ends with run.completed or throws; the last word is the server's in any case.
      return transport.json<Run>({ method: 'GET', path: ['v1', 'runs', runId], repeat: 'always', signal })
    },
  }
}

/** Not randomUUID: browsers have that on https only. */
const randomKey = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
