import { BerthError } from '../../domain/errors.ts'
import type { Clock } from '../../domain/ports/clock.ts'
import { type RunnerRequest, runnerOutputSchema } from '../../domain/runner-protocol.ts'
import type { RunnerMessage } from './runner-messages.ts'

export interface RunCallbacks {
  readonly signal: AbortSignal
  readonly onOutput?: ((stream: 'stdout' | 'stderr', text: string) => void) | undefined
}

interface Flight {
  readonly request: RunnerRequest
  readonly callbacks: RunCallbacks
  readonly settle: PromiseWithResolvers<RunnerMessage>
  sentAtMs: number
  startedAtMs: number | null
}

/** The runner enforces the deadline itself; when it is so late, it is the runner that hangs. */
const LATE_MS = 15_000

/** Runs that were sent to one runner process and are not answered yet. */
export class RunsInFlight {
  readonly #clock: Clock
  readonly #flights = new Map<string, Flight>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#flights.size
  }

  add(request: RunnerRequest, callbacks: RunCallbacks): Promise<RunnerMessage> {
    if (this.#flights.has(request.runId)) throw new BerthError('internal', `Run ${request.runId} is under way already`)
    const settle = Promise.withResolvers<RunnerMessage>()
    this.#flights.set(request.runId, {
      request,
      callbacks,
      settle,
      sentAtMs: this.#clock.monotonicMs(),
      startedAtMs: null,
    })
    return settle.promise
  }

  /** A message for a run that nobody waits for any more is dropped. */
  receive(message: RunnerMessage): void {
    const flight = message.runId === undefined ? undefined : this.#flights.get(message.runId)
    if (flight === undefined) return
    switch (message.kind) {
      case 'started':
        flight.startedAtMs = this.#clock.monotonicMs()
        return
      case 'output': {
        if (flight.callbacks.onOutput === undefined) return
        const { stream, text } = runnerOutputSchema.parse(message)
        this.#tell(flight, () => flight.callbacks.onOutput?.(stream, text))
        return
      }
      default:
        this.#flights.delete(flight.request.runId)
        flight.settle.resolve(message)
    }
  }

  /** A listener that throws fails its own run and must not be taken for a broken runner. */
  #tell(flight: Flight, listener: () => void): void {
    try {
      listener()
    } catch (error) {
      this.#flights.delete(flight.request.runId)
      flight.settle.reject(error)
    }
  }

  /** Gives up the runs that `isLost` names, by whether their code had started. The others wait for `resend`. */
  fail(error: BerthError, isLost: (isStarted: boolean) => boolean): void {
    for (const [runId, flight] of this.#flights) {
      if (!isLost(flight.startedAtMs !== null)) continue
      this.#flights.delete(runId)
      flight.settle.reject(error)
    }
  }

  /** Hands every waiting run to a new process. One that was canceled meanwhile never began and never will. */
  resend(send: (request: RunnerRequest) => void): void {
    for (const [runId, flight] of this.#flights) {
      if (flight.callbacks.signal.aborted) {
        this.#flights.delete(runId)
        flight.settle.reject(flight.callbacks.signal.reason)
        continue
      }
      flight.sentAtMs = this.#clock.monotonicMs()
      send(flight.request)
    }
  }

  /**
   * A run that the runner should have ended long ago, or that waits although nothing runs; null when all is well. A run
   * that waits behind others is fine: theirs are the deadlines that count.
   */
  stuck(): string | null {
    const nowMs = this.#clock.monotonicMs()
    const flights = [...this.#flights.values()]
    const idle = flights.every((flight) => flight.startedAtMs === null)
    const late = flights.find((flight) =>
      flight.startedAtMs === null
        ? idle && nowMs - flight.sentAtMs > LATE_MS
        : nowMs - flight.startedAtMs > flight.request.limits.timeoutMs + LATE_MS,
    )
    return late?.request.runId ?? null
  }
}
