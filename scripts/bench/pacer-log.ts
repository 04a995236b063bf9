import type { Pacer, RequestPool } from '../../src/aws/pacer.ts'
import { awsRates } from '../../src/aws/pacer-rates.ts'
import type { Clock } from '../../src/domain/ports/clock.ts'

interface Grant {
  readonly atMs: number
  readonly cost: number
}

export interface PacerLog {
  /** Lets the same through as the pacer below it, and remembers when. */
  readonly pacer: Pacer
  /** The pool that used most of what it allowed, from its first request to its last. */
  busiest(): { readonly pool: RequestPool; readonly utilisation: number }
  /** By how many requests the worst pool was above its budget, over spans from a tenth of a second to a minute; below zero when never. */
  excess(): number
  /** From the first request to the last. */
  spanMs(pool: RequestPool): number
}

const SPANS_MS = [100, 1000, 10_000, 60_000]

const spanOf = (grants: readonly Grant[]): number => (grants.at(-1)?.atMs ?? 0) - (grants[0]?.atMs ?? 0)

const costOf = (grants: readonly Grant[]): number => grants.reduce((sum, { cost }) => sum + cost, 0)

/** The first request costs no wait, so it is not part of what the time after it allowed. */
const utilisationOf = (pool: RequestPool, grants: readonly Grant[]): number => {
  const allowed = (awsRates[pool].perSecond * spanOf(grants)) / 1000
  return allowed === 0 ? 0 : costOf(grants.slice(1)) / allowed
}

const excessOf = (pool: RequestPool, grants: readonly Grant[], spanMs: number): number => {
  const { perSecond, burst, late = 0 } = awsRates[pool]
  const most = Math.max(burst, ...grants.map(({ cost }) => cost)) + late + (perSecond * spanMs) / 1000
  let excess = -Infinity
  for (let first = 0, last = 0, sum = 0; last < grants.length; last += 1) {
    sum += grants[last]?.cost ?? 0
    for (; (grants[last]?.atMs ?? 0) - (grants[first]?.atMs ?? 0) > spanMs; first += 1) sum -= grants[first]?.cost ?? 0
    excess = Math.max(excess, sum - most)
  }
  return excess
}

export const createPacerLog = (below: Pacer, clock: Pick<Clock, 'monotonicMs'>): PacerLog => {
  const grants = new Map<RequestPool, Grant[]>()
  const of = (pool: RequestPool): Grant[] => {
    const made = grants.get(pool) ?? []
    grants.set(pool, made)
    return made
  }
  return {
    pacer: {
      take: async (pool, options) => {
        await below.take(pool, options)
        of(pool).push({ atMs: clock.monotonicMs(), cost: options.cost ?? 1 })
      },
      rejected: (pool) => below.rejected(pool),
    },
    busiest: () =>
      [...grants]
        .map(([pool, made]) => ({ pool, utilisation: utilisationOf(pool, made) }))
        .reduce((one, other) => (other.utilisation > one.utilisation ? other : one)),
    excess: () =>
      Math.max(...[...grants].flatMap(([pool, made]) => SPANS_MS.map((span) => excessOf(pool, made, span)))),
    spanMs: (pool) => spanOf(of(pool)),
  }
}
