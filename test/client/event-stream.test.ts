import { createParser } from 'eventsource-parser'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseEventStream, type ServerSentEvent } from '../../src/client/event-stream.ts'

const cut = async function* (bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let from = 0
  for (const size of sizes) {
    yield bytes.subarray(from, from + size)
    from += size
  }
  yield bytes.subarray(from)
}

const parsed = (text: string, sizes: readonly number[] = []): Promise<ServerSentEvent[]> =>
  Array.fromAsync(parseEventStream(cut(new TextEncoder().encode(text), sizes)))

test('events come out whole, comments and unknown fields do not', async () => {
  const events = await parsed(': hello\nid: 7\nevent: stdout\ndata: {"a":\ndata: 1}\nfoo: bar\n\ndata\n\n')

  expect(events).toEqual([
    { id: '7', event: 'stdout', data: '{"a":\n1}' },
    { id: '7', event: 'message', data: '' },
  ])
})

test('an event that is not finished is dropped', async () => {
  expect(await parsed('data: 1\n\ndata: 2\n')).toHaveLength(1)
})

test('the time to wait before the next connection is told', async () => {
  const told: number[] = []
  const body = cut(new TextEncoder().encode('retry: 1500\nretry: soon\n\n'), [])

  await Array.fromAsync(parseEventStream(body, { onRetry: (ms) => told.push(ms) }))

  expect(told).toEqual([1500])
})

const line = fc.oneof(
  fc.constantFrom('', 'data', ':', 'data:', 'event: x', 'id: 1', 'id', 'data: 😀ü', 'retry: 5', 'data:  two spaces'),
  fc.string({ unit: fc.constantFrom('a', ':', ' ', 'é', '😀') }).map((text) => `data: ${text}`),
)
const stream = fc
  .array(fc.tuple(line, fc.constantFrom('\n', '\r\n')), { maxLength: 12 })
  .map((lines) => lines.map(([text, end]) => text + end).join(''))

test('any cut into chunks gives the same events as eventsource-parser gives of the whole', async () => {
  await fc.assert(
    fc.asyncProperty(stream, fc.array(fc.nat(4), { maxLength: 30 }), async (text, sizes) => {
      const expected: unknown[] = []
      // eventsource-parser knows ids per event, the standard keeps the last one: so ids are left out here.
      const parser = createParser({ onEvent: ({ event, data }) => expected.push({ event: event ?? 'message', data }) })
      parser.feed(text)

      const events = await parsed(text, sizes)

      expect(events.map(({ event, data }) => ({ event, data }))).toEqual(expected)
    }),
  )
})

test('a line of eight megabytes in small chunks is read in linear time', async () => {
  const text = `data: ${'x'.repeat(8_000_000)}\n\n`
  const sizes = Array.from({ length: 8_000 }, () => 1_000)

  const [event] = await parsed(text, sizes)

  expect(event?.data).toHaveLength(8_000_000)
})
