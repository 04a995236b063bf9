import { expect, test } from 'vitest'
import { createByteRoom } from '../../src/aws/byte-room.ts'
import { quiet } from '../contract/content.ts'

/** Whether it has entered, once all that can happen now has happened. */
const entered = async (taken: Promise<unknown>): Promise<boolean> => {
  const waits = Symbol('waits')
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve()
  return (await Promise.race([taken, Promise.resolve(waits)])) !== waits
}

test('bytes beyond the room wait until others go, in the order of coming', async () => {
  const room = createByteRoom(10)
  const release = await room.take(6, quiet())
  const large = room.take(6, quiet())
  const small = room.take(1, quiet())

  expect([await entered(large), await entered(small)]).toEqual([false, false])
  release()
  expect([await entered(large), await entered(small)]).toEqual([true, true])
})

test('what is larger than the whole room enters alone', async () => {
  const room = createByteRoom(10)
  const release = await room.take(11, quiet())
  const next = room.take(1, quiet())

  expect(await entered(next)).toBe(false)
  release()
  expect(await entered(next)).toBe(true)
})

test('who stops waiting holds no room and lets the next one in', async () => {
  const room = createByteRoom(10)
  await room.take(6, quiet())
  const stop = new AbortController()
  const large = room.take(6, stop.signal)
  const small = room.take(4, quiet())

  stop.abort(new Error('enough'))

  await expect(large).rejects.toThrow('enough')
  expect(await entered(small)).toBe(true)
  await expect(room.take(1, stop.signal)).rejects.toThrow('enough')
})
