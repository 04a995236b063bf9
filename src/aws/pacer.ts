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
