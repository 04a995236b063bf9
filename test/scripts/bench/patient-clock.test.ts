import { expect, onTestFinished, test } from 'vitest'
import { createPatientClock } from '../../../scripts/bench/patient-clock.ts'
import { quiet } from '../../contract/content.ts'

const SCALE = 10

/** Over time that passes only when the test says so; a sleep takes what it was asked for and `lateMs` more. */
const openClock = (lateMs = 0) => {
  let ms = 0
  const real = {
    now: () => new Date(ms),
    monotonicMs: () => ms,
    sleep: async (asked: number) => void (ms += asked + lateMs),
  }
  const clock = createPatientClock(SCALE, real)
  onTestFinished(() => clock[Symbol.dispose]())
  return { clock, real, pass: (by: number) => void (ms += by) }
}

test('time runs faster, on both faces of the clock', () => {
  const { clock, pass } = openClock()
  const began = clock.now().getTime()

  for (let look = 0; look < 100; look += 1) {
    pass(1)
    clock.monotonicMs()
  }

  expect([clock.monotonicMs(), clock.now().getTime() - began]).toEqual([1000, 1000])
})

test('a stall counts once beyond its first four milliseconds', () => {
  const { clock, pass } = openClock()
  clock.monotonicMs()

  pass(104)

  expect(clock.monotonicMs()).toBe(4 * SCALE + 100)
})

test('a sleep ends when its time has come, however much of it was a stall', async () => {
  const { clock, real } = openClock(20)

  await clock.sleep(1000, quiet())

  expect(clock.monotonicMs()).toBeGreaterThanOrEqual(1000)
  expect(real.monotonicMs()).toBeGreaterThan(100)
})
