import type { Clock } from '../../src/domain/ports/clock.ts'
import { createSystemClock } from '../../src/main/system-clock.ts'

/** Longest pause between two looks at AWS; deadlines are longer and stay as they are. */
const LONGEST_LOOK_MS = 5000
const TIMES = 20

/** For the stand-in, where what is looked for is there within a moment: pauses between looks are a twentieth. */
export const createHastyClock = (): Clock => {
  const real = createSystemClock()
  return { ...real, sleep: (ms, signal) => real.sleep(ms <= LONGEST_LOOK_MS ? ms / TIMES : ms, signal) }
}
