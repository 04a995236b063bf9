import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import type { RunEvent } from '../../src/dispatcher/run-event.ts'
import { sendEvents } from '../../src/http/event-stream.ts'
import type { RequestContext } from '../../src/http/request-context.ts'
import { openRaw } from '../support/raw-connection.ts'

const MINUTE_MS = 60_000

/** One stream of large events without end, and a clock on which a minute passes when told. */
const open = async () => {
  let sent = 0
  let pass: (() => void) | null = null
  const clock = {
    now: () => new Date(0),
    monotonicMs: () => 0,
    sleep: (ms: number, signal: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        expect(ms).toBe(MINUTE_MS)
        pass = resolve
        signal.addEventListener('abort', () => reject(signal.reason))
      }),
  }
  const events = async function* (): AsyncIterable<RunEvent> {
    for (;;) {
      sent += 1
      yield { id: String(sent), type: 'stdout', data: { text: 'x'.repeat(1_000_000) } } as unknown as RunEvent
    }
  }
  const ended = Promise.withResolvers<void>()
  const server = createServer((request, response) => {
    const gone = new AbortController()
    response.on('close', () => gone.abort())
    const context = { request, response, requestId: 'q1', signal: gone.signal } as unknown as RequestContext
    void sendEvents(context, events(), { clock, heartbeatMs: MINUTE_MS }).then(ended.resolve, ended.reject)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const raw = await openRaw(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  raw.send('GET / HTTP/1.1\r\nHost: berth\r\n\r\n')
  await raw.receive(/retry: /)
  return {
    raw,
    sent: () => sent,
    minute: async () => {
      pass?.()
      await new Promise((resolve) => setImmediate(resolve))
    },
    ended: ended.promise,
    async [Symbol.asyncDispose]() {
      raw.socket.destroy()
      await ended.promise
      server.close()
    },
  }
}

/** Until the buffers on the way are full and the server waits for the reader. */
const untilItWaits = (sent: () => number): Promise<void> => {
  let before = -1
  return expect
    .poll(
      () => {
        const same = sent() === before
        before = sent()
        return same
      },
      { interval: 100 },
    )
    .toBe(true)
}

/** Passes minutes until the stream ends, and says how many it outlived. */
const minutesOutlived = async (stream: Awaited<ReturnType<typeof open>>): Promise<number> => {
  const ended = stream.ended.then(() => 'ended')
  let minutes = 0
  while ((await Promise.race([ended, stream.minute()])) !== 'ended') minutes += 1
  return minutes
}

test('a reader who takes nothing is cut off, not within the first minute, and few events wait for them until then', async () => {
  await using stream = await open()
  stream.raw.socket.pause()

  expect(await minutesOutlived(stream)).toBeGreaterThan(0)
  expect(stream.sent()).toBeLessThan(20)
})

test('while no minute passes a reader who takes nothing is waited for, and then gets the rest (control)', async () => {
  await using stream = await open()
  stream.raw.socket.pause()
  await untilItWaits(stream.sent)
  const waiting = stream.sent()

  stream.raw.socket.resume()

  await expect.poll(stream.sent).toBeGreaterThan(waiting + 20)
  expect(stream.raw.socket.closed).toBe(false)
})

test('a reader who takes what comes is left alone, however many minutes pass (control)', async () => {
  await using stream = await open()

  for (let passed = 0; passed < 4; passed += 1) {
    const before = stream.sent()
    await expect.poll(stream.sent).toBeGreaterThan(before)
    await stream.minute()
  }

  expect(stream.raw.socket.closed).toBe(false)
})
