import { expect, test } from 'vitest'
import { createBerth } from '../../src/client/berth.ts'
import { json, problem, reset, type Step, startScriptedServer } from './scripted-server.ts'

const event = (id: string, type: string, data: unknown): string =>
  `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`

const completed = { id: 'r1', status: 'succeeded', results: [] }
const head = { 'Content-Type': 'text/event-stream' }

/** Sends the text byte by byte, so that every boundary is hit. */
const inBytes =
  (text: string): Step =>
  async (response) => {
    response.writeHead(200, head)
    for (const byte of Buffer.from(text)) {
      response.write(Buffer.from([byte]))
      await new Promise(setImmediate)
    }
    response.end()
  }

test('events arrive in order, however their bytes do', async () => {
  const text =
    event('1', 'run.created', {}) + event('2', 'stdout', { text: 'é😀\n' }) + event('3', 'run.completed', completed)
  await using server = await startScriptedServer([inBytes(text)])

  const events = await Array.fromAsync(createBerth({ baseUrl: server.baseUrl }).runs.events('r1'))

  expect(events.map(({ type }) => type)).toEqual(['run.created', 'stdout', 'run.completed'])
  expect(events[1]).toMatchObject({ data: { text: 'é😀\n' } })
})

test('a broken stream goes on after the last event, and no event comes twice', async () => {
  await using server = await startScriptedServer([
    reset((response) =>
      response.writeHead(200, head).write(`retry: 1\n\n${event('2', 'stdout', { text: 'a' })}id: 3\nevent: std`),
    ),
    problem(503, 'shutting_down'),
    (response) =>
      void response
        .writeHead(200, head)
        .end(event('3', 'stdout', { text: 'b' }) + event('4', 'run.completed', completed)),
  ])
  const seen: string[] = []

  for await (const each of createBerth({ baseUrl: server.baseUrl }).runs.events('r1'))
    seen.push(each.type === 'stdout' ? each.data.text : each.type)

  expect(seen).toEqual(['a', 'b', 'run.completed'])
  expect(server.received.map(({ headers }) => headers['last-event-id'])).toEqual([undefined, '2', '2'])
})

test('a stream that never gets anywhere ends with an error', async () => {
  await using server = await startScriptedServer([(response) => void response.writeHead(200, head).end('retry: 1\n\n')])

  const wait = createBerth({ baseUrl: server.baseUrl }).runs.wait('r1')

  await expect(wait).rejects.toMatchObject({ code: 'server_unreachable' })
  expect(server.received).toHaveLength(6)
})

const ended = event('3', 'error', { code: 'unauthenticated', status: 401, detail: 'The token has ended.' })

test('a token that ends while a run is followed is replaced by a fresh one', async () => {
  await using server = await startScriptedServer([
    (response) => void response.writeHead(200, head).end(`retry: 1\n\n${event('2', 'stdout', { text: 'a' })}${ended}`),
    (response) => void response.writeHead(200, head).end(event('4', 'run.completed', completed)),
  ])
  let token = 0
  const berth = createBerth({ baseUrl: server.baseUrl, token: () => `t${(token += 1)}` })

  await berth.runs.wait('r1')

  expect(server.received.map(({ headers }) => headers.authorization)).toEqual(['Bearer t1', 'Bearer t2'])
})

test('a key that was revoked while a run is followed is told as refused', async () => {
  await using server = await startScriptedServer([
    (response) => void response.writeHead(200, head).end(`retry: 1\n\n${ended}`),
    problem(401, 'unauthenticated'),
  ])

  await expect(createBerth({ baseUrl: server.baseUrl }).runs.wait('r1')).rejects.toMatchObject({
    code: 'unauthenticated',
  })
  expect(server.received).toHaveLength(2)
})

test('an error that no repeat mends ends the stream at once', async () => {
  await using server = await startScriptedServer([problem(404, 'not_found')])

  await expect(createBerth({ baseUrl: server.baseUrl }).runs.wait('r1')).rejects.toMatchObject({ code: 'not_found' })
  expect(server.received).toHaveLength(1)
})

test('leaving the loop ends the connection', async () => {
  const { promise: closed, resolve } = Promise.withResolvers<void>()
  await using server = await startScriptedServer([
    (response) => {
      response.on('close', resolve)
      response.writeHead(200, head).write(event('1', 'run.created', {}))
    },
  ])

  for await (const _ of createBerth({ baseUrl: server.baseUrl }).runs.events('r1')) break

  await expect(closed).resolves.toBeUndefined()
})

test('run with a listener submits, follows, and resolves with the whole run', async () => {
  await using server = await startScriptedServer([
    json(202, { id: 'r1', status: 'queued' }),
    (response) =>
      void response
        .writeHead(200, head)
        .end(event('2', 'stdout', { text: 'hi' }) + event('4', 'run.completed', completed)),
  ])
  const printed: string[] = []

  const run = await createBerth({ baseUrl: server.baseUrl }).run('print("hi")', {
    onStdout: (text) => printed.push(text),
  })

  expect([printed, run]).toEqual([['hi'], completed])
  expect(server.received[0]?.headers['prefer']).toBe('respond-async')
})

test('run without a listener asks once and waits for the answer', async () => {
  await using server = await startScriptedServer([json(200, completed)])

  expect(await createBerth({ baseUrl: server.baseUrl }).run('1', { variables: { a: 1 } })).toEqual(completed)
  expect(JSON.parse(server.received[0]?.body ?? '')).toEqual({ language: 'python', code: '1', variables: { a: 1 } })
  expect(server.received[0]?.headers['prefer']).toBeUndefined()
})

test('an aborted run is canceled on the server', async () => {
  const controller = new AbortController()
  await using server = await startScriptedServer([
    json(202, { id: 'r1', status: 'queued' }),
    (response) => {
      response.writeHead(200, head).write(event('2', 'stdout', { text: 'hi' }))
    },
    json(200, { ...completed, status: 'canceled' }),
  ])

  const run = createBerth({ baseUrl: server.baseUrl }).run('1', {
    onStdout: () => controller.abort(new Error('enough')),
    signal: controller.signal,
  })

  await expect(run).rejects.toThrow('enough')
  expect(server.received[2]).toMatchObject({ method: 'POST', path: '/v1/runs/r1/cancel' })
})
