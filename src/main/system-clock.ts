import type { Clock } from '../domain/ports/clock.ts'

export const createSystemClock = (): Clock => ({
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) => {
    // Not node:timers/promises: every run sleeps towards its deadline and is woken, and theirs makes an AbortError each time.
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const wake = (): void => {
      clearTimeout(timer)
      reject(signal.reason as Error)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', wake)
      resolve()
    }, ms)
    if (signal.aborted) wake()
    else signal.addEventListener('abort', wake, { once: true })
    return promise
  },
})
