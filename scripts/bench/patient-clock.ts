import type { Clock } from '../../src/domain/ports/clock.ts'
import { createSystemClock } from '../../src/main/system-clock.ts'

/** A process that did not look for longer than this had no turn on a busy machine. */
const STALL_MS = 4

/**
 * Real time that runs faster while the process has its turns. A stall counts once, as it would at real speed, and not as often over as the clock
 * is faster; so a busy machine makes a measurement longer and not worse.
 */
export const createPatientClock = (
  scale: number,
  real: Pick<Clock, 'now' | 'monotonicMs' | 'sleep'> = createSystemClock(),
): Clock & Disposable => {
  const startedAt = real.now().getTime()
  let lookedMs = real.monotonicMs()
  let countedMs = 0
  const monotonicMs = (): number => {
    const gapMs = real.monotonicMs() - lookedMs
    lookedMs += gapMs
    countedMs += Math.min(gapMs, STALL_MS) * scale + Math.max(0, gapMs - STALL_MS)
    return countedMs
  }
  const looking = setInterval(monotonicMs, 1).unref()
  return {
    now: () => new Date(startedAt + monotonicMs()),
    monotonicMs,
    sleep: async (ms, signal) => {
      const untilMs = monotonicMs() + ms
      for (let leftMs = ms; leftMs > 0; leftMs = untilMs - monotonicMs()) await real.sleep(leftMs / scale, signal)
    },
    [Symbol.dispose]: () => clearInterval(looking),
  }
}
