import { expect, test } from 'vitest'
import { BerthError } from '../../src/domain/errors.ts'
import { watchRight } from '../../src/http/watch-right.ts'

const asked = (answers: readonly (BerthError | null)[]) => {
  const left = [...answers]
  const all = Promise.withResolvers<void>()
  const recheck = async (): Promise<void> => {
    const answer = left.shift()
    if (left.length === 0) all.resolve()
    if (answer) throw answer
  }
  return { recheck, all: all.promise }
}

test('an outage of whoever knows takes nobody’s right, and a refusal does', async () => {
  const outage = new BerthError('identity_unavailable', 'no answer')
  const refusal = new BerthError('unauthenticated', 'revoked')
  const during = asked([outage, null, outage])
  using right = watchRight(during.recheck, 1)
  await during.all
  expect(right.signal.aborted).toBe(false)

  const after = asked([null, refusal])
  using lost = watchRight(after.recheck, 1)
  await after.all
  await expect.poll(() => lost.signal.reason).toBe(refusal)
})
