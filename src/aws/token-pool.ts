import type { Clock } from '../domain/ports/clock.ts'
import type { PoolRate } from './pacer-rates.ts'
import type { Priority } from './pacer.ts'
import { createTokenBucket } from './token-bucket.ts'
import { createTurnQueue } from './turn-queue.ts'

export interface TokenPool {
  take(options: { priority: Priority; cost: number; signal: AbortSignal }): Promise<void>
  rejected(): void
}

/** Requests that wait for tokens of one bucket. */
export const createTokenPool = (clock: Clock, rate: PoolRate): TokenPool => {
  const bucket = createTokenBucket(clock, rate)
  let nap: AbortController | null = null
  let pumping = false

  const pump = async (): Promise<void> => {
    if (pumping) return nap?.abort()
    pumping = true
    for (let head = queue.head(); head !== null; head = queue.head()) {
      const waitMs = bucket.take(head.cost)
      if (waitMs === 0) queue.grantHead()
      else await rest(waitMs)
    }
    pumping = false
  }

  const rest = async (ms: number): Promise<void> => {
    nap = new AbortController()
    await clock.sleep(ms, nap.signal).catch(() => undefined)
    nap = null
  }

  const queue = createTurnQueue(() => void pump())
  return { take: (turn) => queue.join(turn), rejected: () => bucket.slowDown() }
}
