import type { BerthEvent } from '../domain/ports/events.ts'

/** Over how long the rate is taken. */
const RATE_OVER_MS = 15_000
const FAILURES_KEPT = 3

export interface WaveProgress {
  readonly name: string
  readonly berths: number
  done: number
  begun: boolean
}

/** Where a rollout stands, as far as it has told. */
export interface RolloutProgress {
  readonly phase: string
  readonly version: number | null
  readonly waves: readonly WaveProgress[]
  /** Berths by image, the target among them. */
  readonly images: ReadonlyMap<string, number>
  readonly target: string | null
  readonly updated: number
  readonly failed: number
  /** The last few. */
  readonly failures: readonly string[]
  readonly perSecond: number
  /** Berths that are still to be brought; null while nothing is known. */
  readonly left: number | null
  /** Null when nothing can be said. */
  readonly secondsLeft: number | null
}

type Detail = NonNullable<BerthEvent['detail']>

const phases: Readonly<Record<string, string>> = {
  'rollout.updating': 'updating',
  'rollout.timing': 'timing runs of its own on the old image',
  'rollout.wave': 'updating',
  'rollout.checking': 'checking whether it is well',
  'rollout.sweeping': 'waiting for berths that are being made, then the last listing',
  'rollout.rolling_back': 'going back',
}

/** Hears what a rollout tells, and says where it stands. */
export const createRolloutProgress = (nowMs: () => number) => {
  const state = {
    phase: 'reading the fleet',
    version: null as number | null,
    waves: [] as WaveProgress[],
    images: new Map<string, number>(),
    target: null as string | null,
    updated: 0,
    updatesMs: [] as number[],
    failed: 0,
    failures: [] as string[],
  }
  const handlers = handlersOf(state, nowMs)
  return {
    accept: ({ code, detail = {}, berthId }: BerthEvent): void => {
      state.phase = phases[code] ?? state.phase
      if (typeof detail['version'] === 'number') state.version = detail['version']
      handlers[code]?.(detail, String(berthId))
    },
    now: (): RolloutProgress => {
      const perSecond = rateOf(state, nowMs())
      const left = leftOf(state)
      const isKnown = left !== null && (left === 0 || perSecond > 0)
      return { ...state, perSecond, left, secondsLeft: isKnown ? left / Math.max(perSecond, 0.001) : null }
    },
  }
}

interface State {
  waves: WaveProgress[]
  readonly images: Map<string, number>
  target: string | null
  updated: number
  updatesMs: number[]
  failed: number
  readonly failures: string[]
}

/** Of the waves; on the way back, which has none, whoever is elsewhere. */
const leftOf = ({ waves, images, target }: State): number | null => {
  if (waves.length > 0) return waves.reduce((sum, { berths, done }) => sum + berths - done, 0)
  if (target === null) return null
  return [...images].reduce((sum, [image, berths]) => (image === target ? sum : sum + berths), 0)
}

const rateOf = (state: State, nowMs: number): number => {
  state.updatesMs = state.updatesMs.filter((ms) => ms >= nowMs - RATE_OVER_MS)
  return (state.updatesMs.length * 1000) / Math.max(1000, nowMs - (state.updatesMs[0] ?? nowMs))
}

const handlersOf = (
  state: State,
  nowMs: () => number,
): Readonly<Record<string, (detail: Detail, berthId: string) => void>> => ({
  'rollout.listed': ({ target }) => {
    state.images.clear()
    state.target = String(target)
  },
  'rollout.image': ({ image, berths }) => void state.images.set(String(image), Number(berths)),
  'rollout.waves': (detail) => {
    const names = ['canaries', 'ring', 'rest']
    state.waves = names.map((name) => ({ name, berths: Number(detail[name] ?? 0), done: 0, begun: false }))
  },
  'rollout.wave': ({ wave, berths, differing }) => {
    for (const one of state.waves) if (one.begun) one.done = one.berths
    const next = state.waves.find(({ name }) => name === wave)
    if (next !== undefined) Object.assign(next, { begun: true, done: Number(berths) - Number(differing) })
  },
  'rollout.updated': ({ from }) => {
    state.updatesMs.push(nowMs())
    state.updated += 1
    const wave = state.waves.findLast(({ begun }) => begun)
    if (wave !== undefined) wave.done = Math.min(wave.berths, wave.done + 1)
    if (typeof from !== 'string' || state.target === null) return
    add(state.images, from, -1)
    add(state.images, state.target, 1)
  },
  // The waves led the other way.
  'rollout.rolling_back': () => {
    state.waves = []
    state.updated = 0
  },
  'rollout.update_failed': ({ reason }, berthId) => {
    state.failed += 1
    state.failures.push(`${berthId}: ${String(reason)}`)
    if (state.failures.length > FAILURES_KEPT) state.failures.shift()
  },
})

const add = (images: Map<string, number>, image: string, by: number): void =>
  void images.set(image, Math.max(0, (images.get(image) ?? 0) + by))

export const duration = (seconds: number): string =>
  seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`
