import type { Clock } from '../domain/ports/clock.ts'
import type { PoolRate } from './pacer-rates.ts'
import { createRequestWindow } from './request-window.ts'

/** Additive increase, multiplicative decrease: what AWS refuses now it may allow in a minute. */
const DECREASE = 0.7
const LEAST_SHARE = 0.1
/** Share of the full rate that comes back per second without a refusal: from the floor to the top in 45 s. */
const RECOVERY_PER_SECOND = 0.02
/** Refusals of requests that were under way together are one piece of news. */
const NEWS_MS = 1000
const EPSILON = 1e-9
/**
 * A request counts from when it was due, if its timer was no later than this; or each late timer would delay all that come after it, for good.
 * One more may leave in some second then. The network moves requests by as much.
 */
const LATE_MS = 60

export interface TokenBucket {
  /** Takes the tokens and answers 0, or says after how many milliseconds they may be there. */
  take(cost: number): number
  /** AWS refused: slower for a while. */
  slowDown(): void
}

/** Over any time t no more than max(burst, largest cost) + late + rate · t tokens leave it. */
export const createTokenBucket = (clock: Pick<Clock, 'monotonicMs'>, rate: PoolRate): TokenBucket => {
  let tokens = rate.burst
  let perSecond = rate.perSecond
  let countedMs = clock.monotonicMs()
  let refusedMs = -Infinity
  let awaited = false
  let dueMs = -Infinity
  const window = rate.most === undefined ? null : createRequestWindow(clock, rate.most)

  const refill = (most: number): void => {
    const now = clock.monotonicMs()
    const seconds = Math.max(0, now - countedMs) / 1000
    countedMs = now
    tokens = Math.max(tokens, Math.min(most, tokens + seconds * perSecond))
    perSecond = Math.min(rate.perSecond, perSecond + seconds * RECOVERY_PER_SECOND * rate.perSecond)
  }

  return {
    take: (cost) => {
      // What costs more than the burst saves up for it while it waits.
      refill(Math.max(rate.burst, cost) + (awaited ? (rate.late ?? 0) : 0))
      const missing = cost - tokens
      const shortMs = missing > EPSILON ? (missing / perSecond) * 1000 : 0
      const waitMs = Math.max(shortMs, window?.waitMs(cost) ?? 0)
      awaited = waitMs > 0
      if (awaited) {
        dueMs = clock.monotonicMs() + waitMs
        return Math.max(1, Math.ceil(waitMs))
      }
      tokens -= cost
      const now = clock.monotonicMs()
      window?.add(cost, Math.min(now, Math.max(dueMs, now - LATE_MS)))
      return 0
    },
    slowDown: () => {
      refill(rate.burst)
      tokens = Math.min(tokens, 0)
      if (clock.monotonicMs() - refusedMs < NEWS_MS) return
      refusedMs = clock.monotonicMs()
      perSecond = Math.max(rate.perSecond * LEAST_SHARE, perSecond * DECREASE)
    },
  }
}
