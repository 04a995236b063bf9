import type { Clock } from './ports/clock.ts'
import { createWake, type Wake } from './wake.ts'

/** Many who wait, each for a thing of its own, so that a change of that thing wakes exactly those. */
export interface KeyedWakes<Key> {
  readonly wake: (key: Key) => void
  /** Returns when the thing changed or the time is over. @throws the signal's reason */
  readonly wait: (key: Key, ms: number, signal: AbortSignal) => Promise<void>
}

export const createKeyedWakes = <Key>(clock: Pick<Clock, 'sleep'>): KeyedWakes<Key> => {
  const waiting = new Map<Key, Set<Wake>>()
  return {
    wake: (key) => {
      for (const wake of waiting.get(key) ?? []) wake.wake()
    },
    wait: async (key, ms, signal) => {
      const wake = createWake(clock)
      const wakes = waiting.get(key) ?? new Set()
      waiting.set(key, wakes.add(wake))
      await wake.wait(ms, signal)
      wakes.delete(wake)
      if (wakes.size === 0) waiting.delete(key)
      signal.throwIfAborted()
    },
  }
}
