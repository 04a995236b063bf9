import type { Clock } from '../domain/ports/clock.ts'
import { awsRates, type PoolRate } from './pacer-rates.ts'
import { createTokenPool, type TokenPool } from './token-pool.ts'

/**
 * Pools of requests that AWS counts together, per account and Region. `lambda` is the whole control plane but GetFunction: 15/s,
 * not adjustable; `getFunction` has 100/s of its own (AWS Lambda quotas, checked 2026-11-22).
 */
export type RequestPool = 'lambda' | 'getFunction' | 'stackChanges' | 'stackReads' | 'iam' | 'logs'

/** Who goes first when a pool is full: a user who waits, then sign-ups and deletions, then a rollout. */
export type Priority = 'waiting' | 'signUp' | 'rollout'

export interface Pacer {
  /** Waits for its turn. `cost` is how many requests the call makes of AWS. @default 1 @throws the signal's reason */
  take(pool: RequestPool, options: { priority: Priority; cost?: number; signal: AbortSignal }): Promise<void>
  /** AWS refused a request of the pool for its rate: the pool slows down for a while. */
  rejected(pool: RequestPool): void
}

/** One per cell and process. Several processes on one cell share AWS's limit without knowing of each other; refusals slow all of them down. */
export const createPacer = ({
  clock,
  rates = {},
}: {
  clock: Clock
  /** @default awsRates */
  rates?: Partial<Readonly<Record<RequestPool, PoolRate>>>
}): Pacer => {
  const pools = new Map<RequestPool, TokenPool>()
  const poolOf = (pool: RequestPool): TokenPool => {
    const made = pools.get(pool) ?? createTokenPool(clock, rates[pool] ?? awsRates[pool])
    pools.set(pool, made)
    return made
  }
  return {
    take: (pool, { priority, cost = 1, signal }) => poolOf(pool).take({ priority, cost, signal }),
    rejected: (pool) => poolOf(pool).rejected(),
  }
}
