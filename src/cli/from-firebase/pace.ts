import type { Clock } from '../../domain/ports/clock.ts'

const MINUTE_MS = 60_000

/** Resolves when it is one's turn. */
export type Turn = (signal: AbortSignal) => Promise<void>

/** Spreads turns evenly over the minute, so that no moment sees a whole minute's worth. */
export const createPace = (perMinute: number, clock: Clock): Turn => {
  let nextAtMs = 0
  return async (signal) => {
    const nowMs = clock.monotonicMs()
    const atMs = Math.max(nowMs, nextAtMs)
    nextAtMs = atMs + MINUTE_MS / perMinute
    if (atMs > nowMs) await clock.sleep(atMs - nowMs, signal)
  }
}
