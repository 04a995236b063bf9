import { expect, test } from 'vitest'
import { createSystemClock } from '../../src/main/system-clock.ts'

test('a sleep that is aborted rejects with the reason of the signal', async () => {
  const stopping = new AbortController()
  const reason = new Error('enough')
  const sleeping = createSystemClock().sleep(3_600_000, stopping.signal)

  stopping.abort(reason)

  await expect(sleeping).rejects.toBe(reason)
})

test('a sleep ends', async () => {
  await expect(createSystemClock().sleep(1, new AbortController().signal)).resolves.toBeUndefined()
})
