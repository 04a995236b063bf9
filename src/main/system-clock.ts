import { setTimeout as delay } from 'node:timers/promises'
import type { Clock } from '../domain/ports/clock.ts'

export const createSystemClock = (): Clock => ({
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  sleep: async (ms, signal) => {
    // The platform wraps the reason in its own AbortError; callers want the reason itself.
    await delay(ms, undefined, { signal }).catch((error: unknown) => {
      signal.throwIfAborted()
      throw error
    })
  },
})
