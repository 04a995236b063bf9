import { describe, expect, test } from 'vitest'
import type { Clock } from '../../src/domain/ports/clock.ts'

/** What every Clock keeps. `make` gives one whose time goes on by itself. */
export const describeClock = (name: string, make: () => Clock): void => {
  describe(`Clock: ${name}`, () => {
    test('monotonic time never falls, and a sleep takes at least its time', async () => {
      const clock = make()
      const before = clock.monotonicMs()

      await clock.sleep(20, new AbortController().signal)

      // A timer may fire up to a millisecond early by the other clock.
      expect(clock.monotonicMs() - before).toBeGreaterThanOrEqual(19)
    })

    test('now is a date of this age', () => {
      expect(make().now().getUTCFullYear()).toBeGreaterThanOrEqual(2026)
    })

    test('a sleep that is aborted rejects with the reason of the signal', async () => {
      const stopping = new AbortController()
      const reason = new Error('enough')
      const sleeping = make().sleep(3_600_000, stopping.signal)

      stopping.abort(reason)

      await expect(sleeping).rejects.toBe(reason)
    })

    test('a sleep whose signal is aborted already does not start', async () => {
      const reason = new Error('too late')

      await expect(make().sleep(3_600_000, AbortSignal.abort(reason))).rejects.toBe(reason)
    })
  })
}
