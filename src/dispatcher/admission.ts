import { BerthError } from '../domain/errors.ts'
import type { TenantId } from '../domain/ids.ts'
import type { Clock } from '../domain/ports/clock.ts'
import { createTokenBucket, fullAfterMs, takeToken, type TokenBucket } from './token-bucket.ts'

export interface AdmissionLimits {
  readonly perSecond: number
  readonly burst: number
  readonly concurrency: number
  readonly waiting: number
  /** Over all tenants. */
  readonly maxConcurrency: number
}

/** interactive: a caller waits for it, so it goes first and its queue has an end. background: it comes from the store. */
export type TicketKind = 'interactive' | 'background'

export interface Ticket {
  /** Null when the run may begin at once. Rejects when admission closes. */
  readonly granted: Promise<void> | null
  /** Gives the place back, or leaves the queue. Called twice it does nothing. */
  readonly release: () => void
}

interface Waiter {
  readonly grant: () => void
  readonly reject: (reason: BerthError) => void
}

interface TenantPlace {
  readonly tenantId: TenantId
  readonly bucket: TokenBucket
  readonly waiting: Record<TicketKind, Waiter[]>
  running: number
  /** Moving average, for an honest Retry-After. */
  averageMs: number
}

const FIRST_GUESS_MS = 1000
const FORGOTTEN_PER_STEP = 4

/** Places for runs: never more than the caps, and tenants who wait take turns, so that none starves another. */
export class Admission {
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #limits: AdmissionLimits
  readonly #places = new Map<TenantId, TenantPlace>()
  /** In the order in which they were left. */
  readonly #idle = new Map<TenantPlace, number>()
  /** Tenants who wait and are below their cap, in the order of their turns. */
  readonly #turns = new Set<TenantPlace>()
  #running = 0
  #closed: BerthError | null = null

  constructor(clock: Pick<Clock, 'monotonicMs'>, limits: AdmissionLimits) {
    this.#clock = clock
    this.#limits = limits
  }

  get running(): number {
    return this.#running
  }

  /** Tenants of whom anything is remembered. */
  get remembered(): number {
    return this.#places.size
  }

  /** Counts one request. @throws {BerthError} rate_limited */
  charge(tenantId: TenantId): void {
    const waitMs = takeToken(this.#placeOf(tenantId).bucket, this.#limits, this.#clock.monotonicMs())
    if (waitMs > 0) throw rateLimited(this.#limits, waitMs)
  }

  /** @throws {BerthError} queue_full, shutting_down */
  enter(tenantId: TenantId, kind: TicketKind): Ticket {
    if (this.#closed !== null) throw this.#closed
    const { concurrency, maxConcurrency, waiting } = this.#limits
    const place = this.#placeOf(tenantId)
    if (this.#running < maxConcurrency && place.running < concurrency && !waits(place)) return this.#beginNow(place)
    if (kind === 'interactive' && place.waiting.interactive.length >= waiting) throw queueFull(place, this.#limits)
    return this.#queue(place, kind)
  }

  /** Rejects all who wait, and from now on every `enter`. */
  close(reason: BerthError): void {
    this.#closed = reason
    for (const place of this.#places.values()) for (const waiter of waitersOf(place)) waiter.reject(reason)
  }

  #beginNow(place: TenantPlace): Ticket {
    this.#begin(place)
    const startedMs = this.#clock.monotonicMs()
    return { granted: null, release: once(() => this.#end(place, startedMs)) }
  }

  #queue(place: TenantPlace, kind: TicketKind): Ticket {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    promise.catch(() => undefined)
    let startedMs: number | null = null
    const grant = (): void => {
      startedMs = this.#clock.monotonicMs()
      resolve()
    }
    const waiter = { grant, reject }
    place.waiting[kind].push(waiter)
    this.#queueTurn(place)
    this.#noteIdle(place)
    const release = (): void => {
      if (startedMs === null) this.#leaveQueue(place, waiter)
      else this.#end(place, startedMs)
    }
    return { granted: promise, release: once(release) }
  }

  #leaveQueue(place: TenantPlace, waiter: Waiter): void {
    for (const queue of Object.values(place.waiting)) if (queue.includes(waiter)) queue.splice(queue.indexOf(waiter), 1)
    this.#queueTurn(place)
    this.#noteIdle(place)
  }

  #begin(place: TenantPlace): void {
    place.running += 1
    this.#running += 1
    this.#idle.delete(place)
  }

  #end(place: TenantPlace, startedMs: number): void {
    place.running -= 1
    this.#running -= 1
    place.averageMs += (this.#clock.monotonicMs() - startedMs - place.averageMs) / 8
    this.#queueTurn(place)
    this.#grantNext()
    this.#noteIdle(place)
  }

  /** A tenant who still waits after a turn goes to the end of the row, which this loop then reaches. */
  #grantNext(): void {
    for (const place of this.#turns) {
      if (this.#running >= this.#limits.maxConcurrency) return
      this.#turns.delete(place)
      const waiter = place.waiting.interactive.shift() ?? place.waiting.background.shift()
      this.#begin(place)
      waiter?.grant()
      this.#queueTurn(place)
    }
  }

  #queueTurn(place: TenantPlace): void {
    if (waits(place) && place.running < this.#limits.concurrency) this.#turns.add(place)
    else this.#turns.delete(place)
  }

  #placeOf(tenantId: TenantId): TenantPlace {
    this.#forgetIdle()
    const nowMs = this.#clock.monotonicMs()
    const place = this.#places.get(tenantId) ?? createPlace(tenantId, createTokenBucket(this.#limits, nowMs))
    this.#places.set(tenantId, place)
    this.#noteIdle(place)
    return place
  }

  #noteIdle(place: TenantPlace): void {
    this.#idle.delete(place)
    if (place.running === 0 && !waits(place)) this.#idle.set(place, this.#clock.monotonicMs())
  }

  /** A few per step, so that no request pays for all; more leave than come. */
  #forgetIdle(): void {
    let steps = FORGOTTEN_PER_STEP
    for (const [place, leftMs] of this.#idle) {
      if (steps === 0 || this.#clock.monotonicMs() - leftMs < fullAfterMs(this.#limits)) return
      this.#idle.delete(place)
      this.#places.delete(place.tenantId)
      steps -= 1
    }
  }
}

const createPlace = (tenantId: TenantId, bucket: TokenBucket): TenantPlace => ({
  tenantId,
  bucket,
  waiting: { interactive: [], background: [] },
  running: 0,
  averageMs: FIRST_GUESS_MS,
})

const waitersOf = ({ waiting }: TenantPlace): readonly Waiter[] => [...waiting.interactive, ...waiting.background]

const waits = ({ waiting }: TenantPlace): boolean => waiting.interactive.length + waiting.background.length > 0

const once = (work: () => void): (() => void) => {
  let done = false
  return () => {
    if (done) return
    done = true
    work()
  }
}

const rateLimited = ({ perSecond, burst }: AdmissionLimits, waitMs: number): BerthError =>
  new BerthError('rate_limited', `expected at most ${perSecond} runs per second with bursts of ${burst}, got more`, {
    retryAfterSeconds: Math.ceil(waitMs / 1000),
  })

const queueFull = (place: TenantPlace, { concurrency, waiting }: AdmissionLimits): BerthError =>
  new BerthError(
    'queue_full',
    `${place.running} runs of this tenant execute (at most ${concurrency}) and ${waiting} wait`,
    {
      retryAfterSeconds: Math.max(1, Math.ceil(place.averageMs / Math.max(1, concurrency) / 1000)),
    },
  )
