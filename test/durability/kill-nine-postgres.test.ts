import { expect, test } from 'vitest'
import { startPostgres } from '../support/postgres.ts'
import { expectNothingLostOver, ROUNDS } from './kill-nine.ts'

// A file of its own, so that both stores are killed beside each other.
test(
  `promise 7, on Postgres: ${ROUNDS} rounds of kill -9 under load lose nothing that was acknowledged`,
  { timeout: 1_200_000, tags: ['postgres'] },
  async () => {
    expect.hasAssertions()
    await using postgres = await startPostgres({ durable: true })
    await expectNothingLostOver({ DATABASE_URL: await postgres.createDatabase() })
  },
)
