import type { ServerResponse } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createByteRoom } from '../../src/aws/byte-room.ts'
import { createInvokeFunction } from '../../src/aws/invoke-function.ts'
import { openScriptedCell, type ScriptedCell } from '../backends/lambda/scripted-endpoint.ts'
import { quiet } from '../contract/content.ts'

let site: ScriptedCell
beforeAll(async () => {
  site = await openScriptedCell()
})
afterAll(() => site?.[Symbol.asyncDispose]())

const call = () => ({ functionName: 'berth-one', event: {}, signal: quiet() })

/** Counts the bytes that the room has given out and not got back, and tells when so many have asked for some. */
const watchedRoom = (most: number, askers: number) => {
  const room = createByteRoom(most)
  const seen = { held: 0, most: 0 }
  const allAsked = Promise.withResolvers<void>()
  let asked = 0
  const take: typeof room.take = async (bytes, signal) => {
    asked += 1
    if (asked === askers) allAsked.resolve()
    const release = await room.take(bytes, signal)
    seen.held += bytes
    seen.most = Math.max(seen.most, seen.held)
    return () => {
      seen.held -= bytes
      release()
    }
  }
  return { seen, take, allAsked: allAsked.promise }
}

const reply = JSON.stringify('x'.repeat(998))

test.each([
  { room: 2000, most: 2000 },
  // The control: with room for all of them, all are held at once.
  { room: 8000, most: 8000 },
])('of 8 replies that come at once, $room bytes are read at a time', async ({ room: bytes, most }) => {
  const room = watchedRoom(bytes, 8)
  site.endpoint.script = async (_, response) => {
    response.writeHead(200, { 'content-length': '1000' }).flushHeaders()
    await room.allAsked
    response.end(reply)
  }
  const invoke = createInvokeFunction(site.cell.clients.invoke, room)

  const all = await Promise.all(Array.from({ length: 8 }, () => invoke(call(), ({ payload }) => payload.length)))

  expect(all).toEqual(Array.from({ length: 8 }, () => 1000))
  expect(room.seen).toEqual({ held: 0, most })
})

test('a reply of more than Lambda allows is not read to its end', async () => {
  site.endpoint.script = (_, response) => {
    const more = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(64 * 1024)));
      if (!response.destroyed) response.once('drain', more)
    }
    more()
  }

  await expect(site.cell.clients.invokeFunction(call(), () => null)).rejects.toMatchObject({ code: 'malformed_reply' })
})

test('a connection that breaks while its reply waits for room is an error of that invoke alone', async () => {
  const room = createByteRoom(1)
  const release = await room.take(1, quiet())
  const asked = Promise.withResolvers<ServerResponse>()
  site.endpoint.script = (_, response) => {
    response.writeHead(200, { 'content-length': '1000' }).write('{')
    asked.resolve(response)
  }
  const invoked = createInvokeFunction(site.cell.clients.invoke, room)(call(), () => null)
  const failure = invoked.catch((error: unknown) => error)

  ;(await asked.promise).destroy()
  release()

  expect(await failure).toMatchObject({ code: 'ECONNRESET' })
})

test.each([
  { when: 'while its reply comes', taken: 0 },
  { when: 'while its reply waits for room', taken: 1 },
])('an invoke that nobody waits for any more lets its connection go $when', async ({ taken }) => {
  const closed = Promise.withResolvers<void>()
  site.endpoint.script = (_, response) => {
    response.on('close', () => closed.resolve())
    response.writeHead(200, { 'content-length': '1000' }).write('{')
  }
  const room = createByteRoom(1)
  const release = await room.take(taken, quiet())
  const headersAreThere = Promise.withResolvers<void>()
  const take: typeof room.take = (bytes, signal) => {
    setImmediate(headersAreThere.resolve)
    return room.take(bytes, signal)
  }
  const gone = new AbortController()
  const invoke = createInvokeFunction(site.cell.clients.invoke, { take })
  const failure = invoke({ ...call(), signal: gone.signal }, () => null).catch((error: unknown) => error)
  await headersAreThere.promise

  gone.abort()

  expect(await failure).toBeInstanceOf(Error)
  await closed.promise
  release()
  // All room is there again.
  expect(await room.take(1, quiet())).toBeTypeOf('function')
})
