import type { Clock } from '../../src/domain/ports/clock.ts'

export interface VirtualClock extends Clock {
  /** Lets that much time pass, waking each sleeper at its own moment. */
  advance(ms: number): Promise<void>
}

interface Sleeper {
  readonly atMs: number
  readonly wake: () => void
}

/** Promises that wait for each other take several turns; whoever was woken has gone back to sleep after these. */
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve()
}

/** Time that passes only when a test says so. */
export const createVirtualClock = (): VirtualClock => {
  let nowMs = 0
  const sleepers = new Set<Sleeper>()
  const nextOf = (untilMs: number): Sleeper | undefined =>
    [...sleepers].filter(({ atMs }) => atMs <= untilMs).toSorted((one, other) => one.atMs - other.atMs)[0]
  return {
    now: () => new Date(Date.UTC(2026, 0, 1) + nowMs),
    monotonicMs: () => nowMs,
    sleep: (ms, signal) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const sleeper: Sleeper = { atMs: nowMs + ms, wake: resolve }
      if (signal.aborted) return Promise.reject(signal.reason as Error)
      sleepers.add(sleeper)
      signal.addEventListener('abort', () => {
        if (sleepers.delete(sleeper)) reject(signal.reason as Error)
      })
      return promise
    },
    advance: async (ms) => {
      const untilMs = nowMs + ms
      await settle()
      for (let next = nextOf(untilMs); next !== undefined; next = nextOf(untilMs)) {
        nowMs = Math.max(nowMs, next.atMs)
        sleepers.delete(next)
        next.wake()
        await settle()
      }
      nowMs = untilMs
    },
  }
}
