import type { Clock } from './ports/clock.ts'

/** Lets a loop wait for a time or for someone who has work for it, whichever comes first. */
export interface Wake {
  readonly wake: () => void
  /** A wake before the wait counts: then it returns at once. Returns early, without an error, when the signal is aborted. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>
}

export const createWake = (clock: Pick<Clock, 'sleep'>): Wake => {
  let pending = false
  let waiter: AbortController | null = null
  return {
    wake: () => {
      pending = true
      waiter?.abort()
    },
    wait: async (ms, signal) => {
      if (!pending && !signal.aborted) {
        const woken = new AbortController()
        waiter = woken
        await clock.sleep(ms, AbortSignal.any([woken.signal, signal])).catch(() => undefined)
        waiter = null
      }
      pending = false
    },
  }
}
