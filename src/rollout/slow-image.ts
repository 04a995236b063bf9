import type { BerthId } from '../domain/ids.ts'
import type { Wave } from './plan-waves.ts'
import type { Probe } from './probe-runs.ts'
import type { RunningRollout, Stop } from './running-rollout.ts'
import { spread } from './spread.ts'
import { medianOf, timeAnswers } from './time-answers.ts'

/** Behind a wave: looks whether it answers much more slowly than the image before. Null when it does not, or nothing can be said. */
export type PaceGate = (brought: readonly BerthId[]) => Promise<Stop | null>

const open: PaceGate = async () => null

/**
 * Times a sample of the wave before it is updated. What counts is what more than half of the sample shows, in canaries first, where nobody's
 * code runs: a tenant can slow the runs in its own berth down, and in no other.
 */
export const watchPace = async (rollout: RunningRollout, { name, members }: Wave): Promise<PaceGate> => {
  const { probe } = rollout.deps
  const { slowFactor } = rollout.settings
  // The rest gets the image that canaries and ring were timed on, and beside hundreds of updates times say little.
  if (probe === undefined || slowFactor === null || name === 'rest') return open
  const { timesTogether } = rollout.settings
  const apart = timesTogether ? members : members.filter(({ together }) => together !== true)
  const differing = apart.filter(({ image }) => image !== rollout.target.image).map(({ berthId }) => berthId)
  if (apart.length === 0) return open
  rollout.emit('rollout.timing', { wave: name })
  const before = medianOf(await timeAnswers(rollout, probe, sampleOf(rollout, differing)))
  const limitOf = (old: number): number => Math.max(old * slowFactor, old + rollout.settings.slowLeastMs)
  return (brought) => compareUnclaimed(rollout, { probe, name, before, brought: sampleOf(rollout, brought), limitOf })
}

/** A canary that a tenant got in the meantime is one no more: who is slow there may be that tenant, so those that are left are asked alone. */
const compareUnclaimed = async (rollout: RunningRollout, compared: Compared): Promise<Stop | null> => {
  const stop = await compare(rollout, compared)
  if (stop === null || compared.name !== 'canaries') return stop
  const spares = new Set(await rollout.deps.activity?.canaries({ signal: rollout.signal }))
  const brought = compared.brought.filter((berthId) => spares.has(berthId))
  return brought.length === compared.brought.length ? stop : compareUnclaimed(rollout, { ...compared, brought })
}

const sampleOf = ({ settings, suspended }: RunningRollout, berthIds: readonly BerthId[]): readonly BerthId[] =>
  spread(
    berthIds.filter((berthId) => !suspended.has(berthId)),
    settings.sample,
  )

interface Compared {
  readonly probe: Probe
  readonly name: Wave['name']
  /** Null when the wave had the image already, or the old one ran nothing. */
  readonly before: number | null
  readonly brought: readonly BerthId[]
  readonly limitOf: (old: number) => number
}

/** An hour of load makes both images slow. So whoever looks slow is timed once more, beside berths that are still on the old one. */
const compare = async (
  rollout: RunningRollout,
  { probe, name, before, brought, limitOf }: Compared,
): Promise<Stop | null> => {
  if (brought.length === 0) return null
  const time = async (berthIds: readonly BerthId[]) => medianOf(await timeAnswers(rollout, probe, berthIds))
  const judge = (old: number | null, now: number | null): Stop | null => {
    if (old === null || now === null) return null
    const figures = { ms: Math.round(now), oldMs: Math.round(old), limitMs: Math.round(limitOf(old)) }
    rollout.emit('rollout.timed', { wave: name, ...figures })
    return now <= limitOf(old) ? null : { kind: 'unhealthy', reason: reasonOf(name, figures) }
  }
  if (before !== null && judge(before, await time(brought)) === null) return null
  const others = sampleOf(rollout, stillOnOld(rollout))
  // A single tenant must not be able to pass a slow image off as load, unless nothing else is known.
  const [now, beside] = await Promise.all([time(brought), time(before !== null && others.length === 1 ? [] : others)])
  const known = [before, beside].filter((ms) => ms !== null)
  return judge(known.length === 0 ? null : Math.max(...known), now)
}

const stillOnOld = ({ members, target, updated }: RunningRollout): readonly BerthId[] =>
  members
    .filter(({ berthId, image, together }) => image !== target.image && !updated.has(berthId) && together !== true)
    .map(({ berthId }) => berthId)

const reasonOf = (wave: string, { ms, oldMs, limitMs }: Readonly<Record<'ms' | 'oldMs' | 'limitMs', number>>): string =>
  `answers in ${seconds(ms)} at the median of the ${wave}, the old image in ${seconds(oldMs)}; the limit is ${seconds(limitMs)}`

const seconds = (ms: number): string => `${(ms / 1000).toFixed(ms < 1000 ? 2 : 1)} s`
