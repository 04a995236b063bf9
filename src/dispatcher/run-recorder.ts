import { backoffMs, fractionOf } from '../domain/backoff.ts'
import { BerthError, isBerthError } from '../domain/errors.ts'
import type { RunId, TenantId } from '../domain/ids.ts'
import type { StoredRun } from '../domain/ports/store.ts'
import { createWake, type Wake } from '../domain/wake.ts'
import type { DispatcherDeps } from './dispatcher.ts'

/** A crash loses at most the records of so long. */
const MAX_DELAY_MS = 100
const MAX_BATCH = 200
const MAX_BUFFERED_RUNS = 2000
const MAX_BUFFERED_UNITS = 64 * 1024 * 1024
const RETRY_MAX_MS = 5000
/** What a stopping server still tries to write before it gives up. */
const FLUSH_ATTEMPTS_AT_END = 5

interface Entry {
  readonly stored: StoredRun
  readonly units: number
}

type Deps = Pick<DispatcherDeps, 'store' | 'clock' | 'ids' | 'events'>

/** Remembers finished synchronous runs behind their answers, many in one commit. */
export class RunRecorder implements AsyncDisposable {
  readonly #deps: Deps
  readonly #pending = new Map<RunId, Entry>()
  readonly #batchIsDue: Wake
  #units = 0
  #failures = 0
  /** Why the last write failed, when the store was away. */
  #outage: BerthError | null = null
  #attemptsLeft = Infinity
  #working: Promise<void> | null = null
  #progress = Promise.withResolvers<void>()

  constructor(deps: Deps) {
    this.#deps = deps
    this.#batchIsDue = createWake(deps.clock)
  }

  add(stored: StoredRun): void {
    const units = unitsOf(stored)
    this.#pending.set(stored.run.id, { stored, units })
    this.#units += units
    if (this.#pending.size >= MAX_BATCH) this.#batchIsDue.wake()
    this.#working ??= this.#work()
  }

  /** A run that is not committed yet. */
  find(tenantId: TenantId, runId: RunId): StoredRun | null {
    const stored = this.#pending.get(runId)?.stored
    return stored?.tenantId === tenantId ? stored : null
  }

  /** Null when there is room, else a promise of room. @throws {BerthError} store_unavailable when full while the store is down */
  room(): Promise<void> | null {
    return this.#isFull() ? this.#roomAgain() : null
  }

  /** Resolves when all that was added so far is committed or lost. @throws {BerthError} store_unavailable when the store takes nothing now */
  async flush(): Promise<void> {
    while (this.#pending.size > 0) {
      await this.#nextWrite()
      if (this.#outage !== null) throw this.#outage
    }
  }

  /** What the store does not take within a few attempts is lost, and told. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#attemptsLeft = FLUSH_ATTEMPTS_AT_END
    while (this.#pending.size > 0) await this.#nextWrite()
  }

  async #nextWrite(): Promise<void> {
    this.#batchIsDue.wake()
    await Promise.race([this.#progress.promise, this.#working])
  }

  #isFull(): boolean {
    return this.#pending.size >= MAX_BUFFERED_RUNS || this.#units >= MAX_BUFFERED_UNITS
  }

  async #roomAgain(): Promise<void> {
    while (this.#isFull()) {
      if (this.#failures > 0) throw bufferFull()
      await this.#progress.promise
    }
  }

  async #work(): Promise<void> {
    while (this.#pending.size > 0) {
      const waitMs = this.#waitMs()
      if (waitMs > 0) await this.#batchIsDue.wait(waitMs, never)
      await this.#write()
    }
    this.#working = null
  }

  #waitMs(): number {
    if (this.#failures === 0) return this.#pending.size >= MAX_BATCH ? 0 : MAX_DELAY_MS
    const fraction = fractionOf(this.#deps.ids.secret())
    return backoffMs({ attempt: this.#failures, baseMs: MAX_DELAY_MS, maxMs: RETRY_MAX_MS, fraction })
  }

  async #write(): Promise<void> {
    // One that the store refuses must not hold up the others: after a failure they go one by one until one succeeds.
    const batch = [...this.#pending.values().take(this.#failures > 0 ? 1 : MAX_BATCH)]
    try {
      await this.#deps.store.runs.record(batch.map(({ stored }) => stored))
      this.#remove(batch)
      this.#failures = 0
      this.#outage = null
    } catch (error) {
      this.#attemptsLeft -= 1
      this.#failures += 1
      this.#deps.events.emit({
        code: 'run.record_failed',
        level: 'error',
        detail: { buffered: this.#pending.size },
        error,
      })
      this.#outage = isBerthError(error) && error.code === 'store_unavailable' ? error : null
      if (this.#attemptsLeft <= 0) this.#lose([...this.#pending.values()], error)
      else if (this.#outage === null && batch.length === 1) this.#lose(batch, error)
    }
    this.#progress.resolve()
    this.#progress = Promise.withResolvers<void>()
  }

  #lose(batch: readonly Entry[], error: unknown): void {
    for (const { stored } of batch) {
      const { run, tenantId } = stored
      this.#deps.events.emit({ code: 'run.record_lost', level: 'error', runId: run.id, tenantId, error })
    }
    this.#remove(batch)
  }

  #remove(batch: readonly Entry[]): void {
    for (const { stored, units } of batch) {
      this.#pending.delete(stored.run.id)
      this.#units -= units
    }
  }
}

const never = new AbortController().signal

const unitsOf = ({ run }: StoredRun): number =>
  1024 +
  run.logs.stdout.length +
  run.logs.stderr.length +
  (run.results.length > 0 ? JSON.stringify(run.results).length : 0)

const bufferFull = (): BerthError =>
  new BerthError('store_unavailable', 'the store does not take records of runs, and the buffer for them is full', {
    retryAfterSeconds: 5,
  })
