import type { Clock } from '../../src/domain/ports/clock.ts'
import { createSystemClock } from '../../src/main/system-clock.ts'

/** Real time that runs faster. What a late timer costs counts as often over, so figures are worse than at real speed. */
export const createScaledClock = (scale: number): Clock => {
  const real = createSystemClock()
  const startedMs = real.monotonicMs()
  const startedAt = real.now().getTime()
  const monotonicMs = () => (real.monotonicMs() - startedMs) * scale
  return {
    now: () => new Date(startedAt + monotonicMs()),
    monotonicMs,
    sleep: (ms, signal) => real.sleep(ms / scale, signal),
  }
}
