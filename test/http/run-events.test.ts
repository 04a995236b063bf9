import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningServer, startServer } from '../support/running-server.ts'

/** Events as a standard parser sees them, until the stream ends or `enough`. */
const read = async (response: Response, enough: (events: EventSourceMessage[]) => boolean = () => false) => {
  const events: EventSourceMessage[] = []
  const parser = createParser({ onEvent: (event) => events.push(event) })
  const decoder = new TextDecoder()
  for await (const chunk of response.body ?? []) {
    parser.feed(decoder.decode(chunk, { stream: true }))
    if (enough(events)) break
  }
  return events
}

const types = (events: readonly EventSourceMessage[]) => events.map(({ event }) => event)

const textOf = (events: readonly EventSourceMessage[]): string =>
  events
    .filter(({ event }) => event === 'stdout')
    .map(({ data }) => JSON.parse(data).text)
    .join('')

describe('GET /v1/runs/{id}/events', () => {
  let server: RunningServer
  let alice: ReturnType<RunningServer['as']>
  beforeAll(async () => {
    server = await startServer()
    alice = server.as('alice')
    await alice('POST', '/v1/runs', { json: { language: 'python', code: '1' } })
  })
  afterAll(() => server[Symbol.asyncDispose]())

  const submit = async (code: string, timeoutMs = 30_000): Promise<string> => {
    const options = { json: { language: 'python', code, timeoutMs }, headers: { Prefer: 'respond-async' } }
    return (await alice('POST', '/v1/runs', options)).body.id
  }
  const open = (id: string, headers: Record<string, string> = {}, signal?: AbortSignal) =>
    server.fetch('GET', `/v1/runs/${id}/events`, {
      key: server.serviceKey,
      tenant: 'alice',
      headers,
      ...(signal !== undefined && { signal }),
    })

  test('tells what happens, in order, and ends with the whole run', async () => {
    const id = await submit('import time\nfor n in range(3):\n  print(n, flush=True)\n  time.sleep(0.05)\nn')
    const response = await open(id)
    const events = await read(response)
    const run = await alice('GET', `/v1/runs/${id}`)

    expect(response.headers.get('content-type')).toBe('text/event-stream')
    expect(types(events)[0]).toBe('run.created')
    expect(types(events).at(-1)).toBe('run.completed')
    expect(types(events)).toContain('run.started')
    expect(textOf(events)).toBe('0\n1\n2\n')
    expect(JSON.parse(events.at(-1)?.data ?? '')).toEqual(run.body)
  })

  test('can be read from the start once the run has ended, each event with an id', async () => {
    const id = await submit('print("x")')
    await read(await open(id))
    const events = await read(await open(id))

    expect(types(events)[0]).toBe('run.created')
    expect(types(events).at(-1)).toBe('run.completed')
    expect(new Set(events.map(({ id }) => id)).size).toBe(events.length)
  })

  test('goes on after Last-Event-ID without a gap or a repeat', async () => {
    const id = await submit('for n in range(5): print(n)')
    const all = await read(await open(id))
    for (const [index, event] of all.entries()) {
      if (index === all.length - 1) continue
      const rest = await read(await open(id, { 'Last-Event-ID': event.id ?? '' }))

      // A resumed stream may carry the same text in larger pieces than the live one did.
      expect(textOf(all.slice(0, index + 1)) + textOf(rest)).toBe('0\n1\n2\n3\n4\n')
      expect(types(rest).at(-1)).toBe('run.completed')
      expect(new Set(types(rest))).toEqual(new Set(types(all.slice(index + 1))))
    }
  })

  test('refuses a Last-Event-ID that it never sent', async () => {
    const id = await submit('1')
    const response = await open(id, { 'Last-Event-ID': 'nonsense' })

    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ code: 'invalid_request' })
  })

  test('is a plain 404 for an unknown run', async () => {
    const response = await open(`r${'a'.repeat(23)}`)

    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ code: 'not_found' })
  })

  test('leaves an asynchronous run alone when the reader goes away', async () => {
    const id = await submit('import time\ntime.sleep(0.5)\n"done"')
    const stop = new AbortController()
    await read(await open(id, {}, stop.signal), (events) => events.length > 0)
    stop.abort()

    await expect.poll(async () => (await alice('GET', `/v1/runs/${id}`)).body.status).toBe('succeeded')
  })

  test('a key that is revoked ends its streams with the reason, and no other', async () => {
    const json = { name: 'lost', project: 'demo' }
    const { body: key } = await server.operator('POST', '/v1/keys', { json })
    const id = await submit('import time\ntime.sleep(600)', 600_000)
    const lost = read(await server.fetch('GET', `/v1/runs/${id}/events`, { key: key.secret, tenant: 'alice' }))
    const kept = read(await open(id))
    await server.operator('DELETE', `/v1/keys/${key.id}`)
    const seen = await lost
    await alice('POST', `/v1/runs/${id}/cancel`)

    expect(seen.at(-1)?.event).toBe('error')
    expect(JSON.parse(seen.at(-1)?.data ?? '')).toMatchObject({ code: 'unauthenticated', status: 401 })
    expect(types(await kept).at(-1)).toBe('run.completed')
  })
})
