import type { BerthId } from '../domain/ids.ts'
import type { Clock } from '../domain/ports/clock.ts'
import { createWake, type Wake } from '../domain/wake.ts'

/** Runs that wait for a berth, so that its settling wakes exactly those. */
export const createBerthWaits = (clock: Clock) => {
  const waiting = new Map<BerthId, Set<Wake>>()
  return {
    wake: (berthId: BerthId): void => {
      for (const wake of waiting.get(berthId) ?? []) wake.wake()
    },
    /** Returns when the berth changed or the time is over. */
    wait: async (berthId: BerthId, ms: number, signal: AbortSignal): Promise<void> => {
      const wake = createWake(clock)
      const wakes = waiting.get(berthId) ?? new Set()
      waiting.set(berthId, wakes.add(wake))
      await wake.wait(ms, signal)
      wakes.delete(wake)
      if (wakes.size === 0) waiting.delete(berthId)
      signal.throwIfAborted()
    },
  }
}
