import { BerthError } from '../../src/domain/errors.ts'
import type { BerthId } from '../../src/domain/ids.ts'
import type { Clock } from '../../src/domain/ports/clock.ts'
import type { Fleet } from '../../src/domain/ports/fleet.ts'
import type { RunnerImage, Wanted } from '../../src/domain/wanted-image.ts'
import { defaultRolloutSettings } from '../../src/rollout/rollout-options.ts'
import type { Activity, RolloutDeps } from '../../src/rollout/rollout-deps.ts'
import type { Probe } from '../../src/rollout/probe-runs.ts'
import { type ForwardOptions, runRollout } from '../../src/rollout/run-rollout.ts'
import type { RolloutReport } from '../../src/rollout/rollout-report.ts'
import { quiet } from '../contract/content.ts'
import { createEventLog } from '../support/event-log.ts'
import { createVirtualClock, type VirtualClock } from '../support/virtual-clock.ts'

const imageOf = (version: number): RunnerImage => ({
  image: `registry/berth@sha256:${String(version).repeat(64)}`,
  version,
})
export const [v1, v2, v3] = [imageOf(1), imageOf(2), imageOf(3)]

const letters = 'abcdefghijklmnopqrstuvwxyz234567'
/** The ids of a fleet, in their order. */
export const berthAt = (index: number): BerthId => {
  const digits = Array.from({ length: 15 }, (_, place) => letters[Math.floor(index / 32 ** (14 - place)) % 32])
  return `b${digits.join('')}` as BerthId
}

type Random = () => number

/** The same numbers for the same seed. */
export const randomOf = (seed: number): Random => {
  let state = seed * 2_654_435_761 + 1
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 0x9e3779b9) | 0
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32
  }
}

export interface FleetScript {
  /** Milliseconds of an update. @default 0 */
  readonly updateMs?: () => number
  /** Thrown in place of the update, or null. */
  readonly fails?: (berthId: BerthId, image: string) => BerthError | null
  /** What a berth says of itself; hangs when undefined. @default passed */
  readonly examined?: (berthId: BerthId, image: string) => boolean | undefined
}

const gone = () => new BerthError('not_found', 'There is no function to update')

const unlessAborted = (work: Promise<void>, signal: AbortSignal): Promise<void> => {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  signal.throwIfAborted()
  signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  work.then(resolve, reject)
  return promise
}

/** Berths as Lambda would have them, on a clock of the test. */
export const createScriptedFleet = (clock: Clock, script: FleetScript = {}) => {
  const images = new Map<BerthId, string>()
  const versions = new Map([v1, v2, v3].map(({ image, version }) => [image, version]))
  const updates: { berthId: BerthId; image: string }[] = []
  /** What a listing tells of a berth from the moment an update was taken, also when it fails afterwards. */
  const told = new Map<BerthId, string>()
  const underWay = new Map<BerthId, Promise<void>>()
  /** What was taken goes on, whoever asked for it. */
  const land = async (update: { berthId: BerthId; image: string }, failure: BerthError | null): Promise<void> => {
    const ms = script.updateMs?.() ?? 0
    await (ms > 0 ? clock.sleep(ms, quiet()) : null)
    underWay.delete(update.berthId)
    if (failure !== null) throw failure
    if (!images.has(update.berthId)) throw gone()
    images.set(update.berthId, update.image)
    told.delete(update.berthId)
    updates.push(update)
  }
  const fleet: Fleet = {
    async *list({ signal }) {
      for (const [berthId, image] of images) {
        signal.throwIfAborted()
        if (images.has(berthId)) yield { berthId, image: told.get(berthId) ?? image, unsure: true }
      }
    },
    update: async (berthId, image, { signal }) => {
      for (let other = underWay.get(berthId); other !== undefined; other = underWay.get(berthId))
        await unlessAborted(
          other.catch(() => undefined),
          signal,
        )
      if (!images.has(berthId)) throw gone()
      if (images.get(berthId) === image) {
        told.delete(berthId)
        return
      }
      const failure = script.fails?.(berthId, image) ?? null
      if (failure?.code === 'backend_unavailable') throw failure
      told.set(berthId, image)
      const landed = land({ berthId, image }, failure)
      underWay.set(berthId, landed)
      await unlessAborted(landed, signal)
    },
    selfTest: async (berthId, { signal }) => {
      const image = images.get(berthId)
      if (image === undefined) throw gone()
      const passed = script.examined === undefined ? true : script.examined(berthId, image)
      if (passed === undefined) await clock.sleep(3_600_000, signal)
      const checks = [{ name: 'sandbox', passed: passed === true, detail: 'as the script says' }]
      return { passed: passed === true, runnerVersion: versions.get(image) ?? 0, image, checks }
    },
  }
  return { fleet, images, told, updates }
}

export interface RolloutSite extends ReturnType<typeof createScriptedFleet> {
  readonly clock: VirtualClock
  readonly log: ReturnType<typeof createEventLog>
  readonly deps: RolloutDeps
  wanted: Wanted | null
  /** Runs a rollout to its end while time passes. */
  roll(changes?: Partial<ForwardOptions>): Promise<RolloutReport>
  /** Lets time pass until the work has ended. */
  pass<T>(work: Promise<T>): Promise<T>
}

/** Where nobody is suspended unless it says so. */
type ScriptedActivity = Omit<Activity, 'suspended'> & Partial<Pick<Activity, 'suspended'>>

interface SiteScript extends FleetScript {
  readonly activity?: ScriptedActivity | null
  readonly probe?: Probe
}

export const openRolloutSite = (count: number, { activity = null, probe, ...script }: SiteScript = {}): RolloutSite => {
  const clock = createVirtualClock()
  const scripted = createScriptedFleet(clock, script)
  for (let index = 0; index < count; index += 1) scripted.images.set(berthAt(index), v1.image)
  const log = createEventLog()
  const random = randomOf(count)
  const secret = () => Array.from({ length: 32 }, () => letters[Math.floor(random() * 32)]).join('')
  const site: RolloutSite = {
    ...scripted,
    clock,
    log,
    wanted: { ...v1, fence: 0 },
    deps: {
      fleet: scripted.fleet,
      activity: activity === null ? null : { suspended: async () => [], ...activity },
      ...(probe === undefined ? {} : { probe }),
      clock,
      ids: { secret },
      events: log,
      wanted: {
        read: async () => site.wanted,
        change: async (change) => (site.wanted = change(site.wanted)),
      },
    },
    roll: (changes = {}) => site.pass(runRollout(site.deps, rolling(changes))),
    pass: async (work) => {
      const progress = { ended: false }
      const watched = work.finally(() => (progress.ended = true))
      watched.catch(() => undefined)
      while (!progress.ended) await clock.advance(1000)
      return watched
    },
  }
  return site
}

export const rolling = (changes: Partial<ForwardOptions> = {}): ForwardOptions => ({
  target: v2,
  onUnhealthy: 'halt',
  dryRun: false,
  settings: defaultRolloutSettings,
  scope: { kind: 'all' },
  signal: quiet(),
  ...changes,
})

export const countOf = ({ images }: Pick<RolloutSite, 'images'>, { image }: RunnerImage): number =>
  [...images.values()].filter((one) => one === image).length
