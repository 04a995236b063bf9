import { expect, test } from 'vitest'
import { expectNothingLostOver, ROUNDS } from './kill-nine.ts'

test(
  `promise 7, on SQLite: ${ROUNDS} rounds of kill -9 under load lose nothing that was acknowledged`,
  { timeout: 1_200_000 },
  async () => {
    expect.hasAssertions()
    await expectNothingLostOver({})
  },
)
