import { backoffMs, fractionOf } from '../domain/backoff.ts'
import { BerthError, isBerthError } from '../domain/errors.ts'
import type { BerthId } from '../domain/ids.ts'
import type { BerthEvent } from '../domain/ports/events.ts'
import type { FleetMember } from '../domain/ports/fleet.ts'
import type { Pin, RunnerImage, Wanted } from '../domain/wanted-image.ts'
import type { RolloutDeps } from './rollout-deps.ts'
import type { RolloutScope, RolloutSettings } from './rollout-options.ts'
import type { RolloutReport } from './rollout-report.ts'
import { nextRolloutState, type RolloutEventKind, type RolloutState } from './rollout-state.ts'
import { isSame, pinsAt, targetOf } from './wanted-changes.ts'

export interface Stop {
  readonly kind: 'held' | 'superseded' | 'unhealthy'
  readonly reason: string
}

export interface RolloutOptions {
  readonly settings: RolloutSettings
  readonly scope: RolloutScope
  readonly signal: AbortSignal
}

/** One rollout in this process: where it stands, and what it has done so far. Nothing of it outlives the process. */
export class RunningRollout {
  readonly deps: RolloutDeps
  readonly settings: RolloutSettings
  readonly scope: RolloutScope
  readonly signal: AbortSignal
  readonly target: RunnerImage
  readonly startedAt: Date
  /** Had another image, and run the target now. */
  readonly updated = new Set<BerthId>()
  /** Had the target already as the listing told, and do. */
  readonly confirmed = new Set<BerthId>()
  readonly failed = new Map<BerthId, string>()
  readonly waves: { name: string; berths: number }[] = []
  gone = 0
  /** It has come to every berth of the fleet, up to the last listing. */
  sawAll = false
  /** Since when new berths get the target, on the clock that only rises. */
  offeredMs: number
  members: readonly FleetMember[] = []
  /** Berths of Berth's own, where no tenant's code ever ran. */
  canaries: ReadonlySet<BerthId> = new Set()
  /** Their tenants are; a self-test there says nothing of an image. */
  readonly suspended = new Set<BerthId>()
  /** Canaries run the target, and are well. */
  vouchedFor = false
  #state: RolloutState = 'planning'
  #reason: string | null = null
  #pins: readonly Pin[]

  constructor(deps: RolloutDeps, options: RolloutOptions, wanted: Wanted) {
    this.deps = deps
    this.settings = options.settings
    this.scope = options.scope
    this.signal = options.signal
    this.target = targetOf(wanted)
    this.startedAt = deps.clock.now()
    this.offeredMs = deps.clock.monotonicMs()
    this.#pins = pinsAt(wanted, this.startedAt)
  }

  get state(): RolloutState {
    return this.#state
  }

  move(event: RolloutEventKind, reason: string | null = null): void {
    const next = nextRolloutState(this.#state, event)
    if (next === null) throw new BerthError('internal', `a rollout that is ${this.#state} was told ${event}`)
    this.#state = next
    this.#reason = reason ?? this.#reason
    this.emit(`rollout.${next}`, { event, ...(reason === null ? {} : { reason }) })
  }

  stop({ kind, reason }: Stop): void {
    this.move(kind, reason)
  }

  emit(code: string, detail: NonNullable<BerthEvent['detail']>, more: Partial<BerthEvent> = {}): void {
    this.deps.events.emit({ code, level: 'info', detail: { version: this.target.version, ...detail }, ...more })
  }

  /** Null while it is still this target that is wanted. */
  async reasonToStop(): Promise<Stop | null> {
    const wanted = await this.retried(() => this.deps.wanted.read({ signal: this.signal }))
    if (wanted === null) return { kind: 'superseded', reason: 'no image is wanted any more' }
    this.#pins = pinsAt(wanted, this.deps.clock.now())
    const now = targetOf(wanted)
    if (!isSame(now, this.target)) return { kind: 'superseded', reason: `version ${now.version} is wanted now` }
    const back = this.#state === 'rolling_back'
    return wanted.held === undefined || back ? null : { kind: 'held', reason: wanted.held }
  }

  /** What a listing says is believed when it is another image, and never when it is the target. */
  isSure({ berthId, image, unsure }: FleetMember): boolean {
    if (this.updated.has(berthId)) return true
    return image === this.target.image && (unsure !== true || this.confirmed.has(berthId))
  }

  /** The berth runs the target now. True when it was listed with another image. */
  note({ berthId, image }: FleetMember): boolean {
    const changed = image !== this.target.image
    if (!changed) {
      if (!this.updated.has(berthId)) this.confirmed.add(berthId)
      return false
    }
    this.confirmed.delete(berthId)
    this.updated.add(berthId)
    this.emit('rollout.updated', { updated: this.updated.size, from: image }, { level: 'debug', berthId })
    return true
  }

  isPinned(berthId: BerthId): boolean {
    return this.#pins.some((pin) => pin.berthId === berthId)
  }

  /** Whole or not at all: a part of the fleet must not be taken for all of it. */
  async list(): Promise<readonly FleetMember[]> {
    this.members = await this.retried(async () => {
      const members: FleetMember[] = []
      for await (const member of this.deps.fleet.list({ signal: this.signal })) members.push(member)
      return members
    })
    this.#tellImages()
    return this.members
  }

  #tellImages(): void {
    this.emit('rollout.listed', { target: this.target.image }, { level: 'debug' })
    for (const [image, { length: berths }] of Map.groupBy(this.members, (member) => member.image))
      this.emit('rollout.image', { image, berths }, { level: 'debug' })
  }

  /** Tries what Berth counts as passing some more times. */
  async retried<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await work()
      } catch (error) {
        this.signal.throwIfAborted()
        if (attempt >= this.settings.tries || (isBerthError(error) && error.code === 'not_found')) throw error
        const fraction = fractionOf(this.deps.ids.secret())
        await this.deps.clock.sleep(backoffMs({ attempt, baseMs: 2000, maxMs: 30_000, fraction }), this.signal)
      }
    }
  }

  report(): RolloutReport {
    const images: Record<string, number> = {}
    for (const { berthId, image } of this.members) {
      const runs = this.updated.has(berthId) ? this.target.image : image
      images[runs] = (images[runs] ?? 0) + 1
    }
    return {
      state: this.#state,
      reason: this.#reason,
      target: this.target,
      berths: this.members.length,
      updated: this.updated.size,
      gone: this.gone,
      waves: this.waves,
      images,
      failed: [...this.failed].map(([berthId, reason]) => ({ berthId, reason })),
      pinned: this.#pins,
    }
  }
}
