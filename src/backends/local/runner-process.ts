import { BerthError } from '../../domain/errors.ts'
import type { Clock } from '../../domain/ports/clock.ts'
import type { Events } from '../../domain/ports/events.ts'
import type { RunnerRequest } from '../../domain/runner-protocol.ts'
import { orAborted } from './or-aborted.ts'
import { type RunnerChild, type RunnerCommand, type RunnerExit, spawnRunner } from './runner-child.ts'
import { type RunnerMessage, type RunnerReady, noSandboxSchema, runnerReadySchema } from './runner-messages.ts'
import { RunsInFlight, type RunCallbacks } from './runs-in-flight.ts'

export interface RunnerProcessOptions {
  readonly command: RunnerCommand
  readonly events: Events
  readonly clock: Clock
}

interface Live {
  readonly child: RunnerChild
  readonly ready: RunnerReady
}

const START_TIMEOUT_MS = 60_000
/** How long a run waits for a runner that is being started again. */
const WAIT_FOR_START_MS = 20_000
const STOP_GRACE_MS = 5_000
const WATCH_INTERVAL_MS = 1_000
const MAX_BACKOFF_MS = 10_000
/** sysexits' EX_CONFIG: the runner found no way to isolate runs on this machine. */
const EXIT_NO_SANDBOX = 78

const parseJson = (line: string): unknown => {
  try {
    return JSON.parse(line)
  } catch {
    return null
  }
}

const noSandbox = (exit: RunnerExit): BerthError => {
  const said = exit.stderrTail.map((line) => noSandboxSchema.safeParse(parseJson(line))).find((line) => line.success)
  if (said === undefined) return new BerthError('sandbox_unavailable', exit.stderrTail.join('\n'))
  const { detail, remedy } = said.data
  return new BerthError('sandbox_unavailable', remedy === undefined ? detail : `${detail} ${remedy}`)
}

const startFailure = (exit: RunnerExit): BerthError => {
  if (exit.code === EXIT_NO_SANDBOX) return noSandbox(exit)
  const how = exit.signal === null ? `with code ${exit.code}` : `by ${exit.signal}`
  return new BerthError('backend_unavailable', `The runner ended ${how} before it was ready`, {
    retryAfterSeconds: 5,
    data: { stderr: exit.stderrTail.join('\n') },
  })
}

/** Keeps one runner process alive. A run that was lost with its process is never sent again: nobody knows how far it came. */
export class RunnerProcess implements AsyncDisposable {
  readonly #options: RunnerProcessOptions
  readonly #runs: RunsInFlight
  readonly #closing = new AbortController()
  readonly #watch: NodeJS.Timeout
  #live: Live | null = null
  #starting: Promise<Live>
  #recycling: PromiseWithResolvers<void> | null = null
  #closed: Promise<void> | null = null
  #failures = 0

  private constructor(options: RunnerProcessOptions) {
    this.#options = options
    this.#runs = new RunsInFlight(options.clock)
    this.#starting = this.#start()
    this.#watch = setInterval(() => this.#killWhenStuck(), WATCH_INTERVAL_MS).unref()
  }

  /** @throws {BerthError} sandbox_unavailable, backend_unavailable */
  static async start(options: RunnerProcessOptions, signal: AbortSignal): Promise<RunnerProcess> {
    signal.throwIfAborted()
    const runner = new RunnerProcess(options)
    try {
      await orAborted(runner.#starting, signal)
      return runner
    } catch (error) {
      await runner[Symbol.asyncDispose]()
      throw error
    }
  }

  /** What the runner said of itself when it last started. */
  async hello(signal: AbortSignal): Promise<RunnerReady> {
    return (this.#live ?? (await this.#whenLive(signal))).ready
  }

  /** Sends one run and resolves with the runner's reply or refusal, unparsed. Aborting cancels it; it still resolves. */
  async run(request: RunnerRequest, callbacks: RunCallbacks): Promise<RunnerMessage> {
    const { signal } = callbacks
    signal.throwIfAborted()
    const { child } = this.#live ?? (await this.#whenLive(signal))
    // To whoever has the run by then: it may have gone to a new process.
    const cancel = () => this.#live?.child.send({ kind: 'cancel', runId: request.runId })
    const reply = this.#runs.add(request, callbacks)
    child.send(request)
    signal.addEventListener('abort', cancel, { once: true })
    try {
      return await reply
    } finally {
      signal.removeEventListener('abort', cancel)
    }
  }

  /** Replaces the golden zygote and the spares; runs under way finish in the old ones. */
  async recycle(signal: AbortSignal): Promise<void> {
    const { child } = await this.#whenLive(signal)
    if (this.#recycling === null) {
      this.#recycling = Promise.withResolvers()
      child.send({ kind: 'recycle' })
    }
    await orAborted(this.#recycling.promise, signal)
  }

  /** All runs that it has end with the error; what it says of them afterwards counts no more. */
  giveUp(error: BerthError): void {
    this.#runs.fail(error, () => true)
  }

  /** Everybody who asks waits until it is gone. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#closing.abort(new BerthError('shutting_down', 'The local backend is closed'))
    clearInterval(this.#watch)
    const live = this.#live ?? (await this.#starting.catch(() => null))
    await live?.child.stop(STOP_GRACE_MS)
    // Those that waited for a process that did not come.
    this.#runs.fail(new BerthError('runner_failed', 'The runner was ended before the run began'), () => true)
  }

  async #whenLive(signal: AbortSignal): Promise<Live> {
    const timeout = AbortSignal.timeout(WAIT_FOR_START_MS)
    try {
      return await orAborted(this.#starting, AbortSignal.any([this.#closing.signal, signal, timeout]))
    } catch (error) {
      if (error !== timeout.reason) throw error
      throw new BerthError('backend_unavailable', 'The runner is still starting', { retryAfterSeconds: 5 })
    }
  }

  async #start(): Promise<Live> {
    const ready = Promise.withResolvers<RunnerReady>()
    const child = spawnRunner(this.#options.command, {
      onMessage: (message) => this.#receive(message, ready),
      onLog: (line) => this.#options.events.emit({ code: 'runner.log', level: 'debug', detail: { line } }),
    })
    const kill = () => child.kill()
    const timer = setTimeout(kill, START_TIMEOUT_MS)
    this.#closing.signal.addEventListener('abort', kill)
    const exit = child.exited.then((exit) => Promise.reject(startFailure(exit)))
    try {
      const live = { child, ready: await Promise.race([ready.promise, exit]) }
      this.#live = live
      this.#runs.resend((request) => child.send(request))
      void this.#superviseLife(live)
      return live
    } catch (error) {
      child.kill()
      throw error
    } finally {
      clearTimeout(timer)
      this.#closing.signal.removeEventListener('abort', kill)
    }
  }

  #receive(message: RunnerMessage, ready: PromiseWithResolvers<RunnerReady>): void {
    if (message.kind === 'ready') {
      const parsed = runnerReadySchema.safeParse(message)
      if (parsed.success) return ready.resolve(parsed.data)
      return ready.reject(
        new BerthError('backend_unavailable', 'The runner speaks another protocol', { cause: parsed.error }),
      )
    }
    if (message.kind === 'recycled') {
      this.#recycling?.resolve()
      this.#recycling = null
      return
    }
    this.#runs.receive(message)
  }

  async #superviseLife(live: Live): Promise<void> {
    const { clock, events } = this.#options
    const { version, level } = live.ready.runner
    events.emit({ code: 'runner.started', level: 'info', detail: { version, level, pid: live.child.pid } })
    const startedAtMs = clock.monotonicMs()
    const exit = await live.child.exited
    this.#live = null
    live.child.kill()
    const detail = { code: exit.code, signal: exit.signal, runs: this.#runs.size }
    const closing = this.#closing.signal.aborted
    events.emit({ code: 'runner.exited', level: closing ? 'info' : 'error', detail })
    const lost = new BerthError('runner_failed', 'The runner process ended in the middle of the run', { data: detail })
    this.#recycling?.reject(lost)
    this.#recycling = null
    // Before the runs' own callers go on, so that what they send next waits for the new process.
    if (!closing) this.#restart(clock.monotonicMs() - startedAtMs > MAX_BACKOFF_MS)
    // A runner that leaves in order has said of every run that it started, so the rest never began and can be sent again.
    const leftInOrder = exit.code === 0 && !closing
    this.#runs.fail(lost, (isStarted) => isStarted || !leftInOrder)
  }

  #restart(livedLong: boolean): void {
    this.#failures = livedLong ? 0 : this.#failures + 1
    const delayMs = this.#failures <= 1 ? 0 : Math.min(MAX_BACKOFF_MS, 100 * 2 ** this.#failures)
    this.#starting = this.#options.clock.sleep(delayMs, this.#closing.signal).then(() => this.#start())
    this.#starting.catch((error: unknown) => {
      if (this.#closing.signal.aborted) return
      this.#options.events.emit({ code: 'runner.start_failed', level: 'error', error })
      this.#restart(false)
    })
  }

  #killWhenStuck(): void {
    const stuck = this.#runs.stuck()
    if (stuck === null) return
    this.#options.events.emit({ code: 'runner.stuck', level: 'error', detail: { runId: stuck } })
    this.#live?.child.kill()
  }
}
