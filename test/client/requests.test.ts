import { expect, test } from 'vitest'
import { freePort } from '../../scripts/free-port.ts'
import { createBerth } from '../../src/client/berth.ts'
import { remedyOf, requestIdOf } from '../../src/client/problem.ts'
import { type BerthError, isBerthError } from '../../src/domain/errors.ts'
import { json, problem, reset, type Step, startScriptedServer } from './scripted-server.ts'

const run = { id: 'r1', status: 'succeeded' }

const page =
  (status: number): Step =>
  (response) =>
    void response.writeHead(status, { 'Content-Type': 'text/html' }).end('<h1>A proxy')

const errorOf = async (promise: Promise<unknown>): Promise<BerthError> => {
  const error: unknown = await promise.then(
    () => expect.fail('expected a rejection'),
    (reason: unknown) => reason,
  )
  if (!isBerthError(error)) throw error
  return error
}

test('a service key travels with its tenant, percent-encoded', async () => {
  await using server = await startScriptedServer([json(200, run)])
  const berth = createBerth({ baseUrl: server.baseUrl, key: 'berth_x', tenant: 'Zoë/ü 1', identityTenant: 'a,b' })

  await berth.runs.get('r1')

  expect(server.received[0]?.headers).toMatchObject({
    authorization: 'Bearer berth_x',
    'berth-tenant': 'Zo%C3%AB%2F%C3%BC%201',
    'berth-identity-tenant': 'a%2Cb',
  })
})

test('a token that is a function is asked before each request', async () => {
  await using server = await startScriptedServer([json(200, run)])
  let asked = 0
  const berth = createBerth({ baseUrl: server.baseUrl, token: () => `token${(asked += 1)}` })

  await berth.runs.get('r1')
  await berth.runs.get('r1')

  expect(server.received.map(({ headers }) => headers.authorization)).toEqual(['Bearer token1', 'Bearer token2'])
})

test('a problem becomes a BerthError with code, remedy, request id and fields', async () => {
  const errors = [{ pointer: '/code', detail: 'expected text' }]
  const body = { code: 'invalid_request', detail: 'no code', remedy: 'add it', requestId: 'q7', errors }
  await using server = await startScriptedServer([json(400, body)])

  const error = await errorOf(createBerth({ baseUrl: server.baseUrl }).runs.get('r1'))

  expect(error).toMatchObject({ code: 'invalid_request', message: 'no code', errors })
  expect([remedyOf(error), requestIdOf(error)]).toEqual(['add it', 'q7'])
})

test('a page of a proxy becomes an error that says what came', async () => {
  await using server = await startScriptedServer([page(502)])

  const error = await errorOf(createBerth({ baseUrl: server.baseUrl, retries: 0 }).runs.get('r1'))

  expect(error.code).toBe('server_unreachable')
  expect(error.message).toContain('answered 502')
})

test('a 200 that is not JSON is no answer', async () => {
  await using server = await startScriptedServer([page(200)])

  const error = await errorOf(createBerth({ baseUrl: server.baseUrl, retries: 0 }).runs.get('r1'))

  expect(error).toMatchObject({ code: 'server_unreachable' })
})

test('no server at all names the URL and what to do', async () => {
  const port = await freePort()

  const error = await errorOf(createBerth({ baseUrl: `http://127.0.0.1:${port}`, retries: 0 }).me())

  expect(error.message).toBe(`GET http://127.0.0.1:${port}/v1/me got no answer: ECONNREFUSED`)
  expect(remedyOf(error)).toContain('berth serve')
})

test('a request that is refused with 429 is repeated after Retry-After', async () => {
  await using server = await startScriptedServer([problem(429, 'rate_limited', { 'Retry-After': '0' }), json(200, run)])

  const answer = await createBerth({ baseUrl: server.baseUrl }).runs.create(
    { language: 'python', code: '1' },
    { idempotencyKey: null },
  )

  expect(answer).toEqual(run)
  expect(server.received).toHaveLength(2)
})

test('a Retry-After of more than a minute is left to the caller', async () => {
  await using server = await startScriptedServer([problem(503, 'backend_unavailable', { 'Retry-After': '3600' })])

  const error = await errorOf(createBerth({ baseUrl: server.baseUrl }).runs.get('r1'))

  expect(error.retryAfterSeconds).toBe(3600)
  expect(server.received).toHaveLength(1)
})

test('a broken GET is repeated', async () => {
  await using server = await startScriptedServer([
    reset(),
    reset((response) => response.writeHead(200).write('{"id"')),
    json(200, run),
  ])

  expect(await createBerth({ baseUrl: server.baseUrl }).runs.get('r1')).toEqual(run)
})

test('a broken POST of a run is repeated under the same Idempotency-Key', async () => {
  await using server = await startScriptedServer([reset(), json(200, run)])

  await createBerth({ baseUrl: server.baseUrl }).run('1')

  const keys = server.received.map(({ headers }) => headers['idempotency-key'])
  expect(keys).toHaveLength(2)
  expect(keys[0]).toMatch(/^[\da-f]{32}$/)
  expect(keys[1]).toBe(keys[0])
})

test('a broken POST of a run without a key is not repeated (control)', async () => {
  await using server = await startScriptedServer([reset(), json(200, run)])

  const error = await errorOf(createBerth({ baseUrl: server.baseUrl }).run('1', { idempotencyKey: null }))

  expect(error.code).toBe('server_unreachable')
  expect(server.received).toHaveLength(1)
})

test('the making of a key is not repeated: its secret would be lost', async () => {
  await using server = await startScriptedServer([reset(), json(201, {})])

  await errorOf(createBerth({ baseUrl: server.baseUrl }).keys.create({ name: 'x', role: 'operator' }))

  expect(server.received).toHaveLength(1)
})

test('tries end, and the last error is told', async () => {
  await using server = await startScriptedServer([problem(503, 'store_unavailable', { 'Retry-After': '0' })])

  const error = await errorOf(createBerth({ baseUrl: server.baseUrl, retries: 2 }).runs.get('r1'))

  expect(error.code).toBe('store_unavailable')
  expect(server.received).toHaveLength(3)
})

test('an answer that does not begin in time is an error with the deadline', async () => {
  await using server = await startScriptedServer([() => undefined])

  const error = await errorOf(createBerth({ baseUrl: server.baseUrl, timeoutMs: 30, retries: 0 }).runs.get('r1'))

  expect(error.message).toContain('within 30 ms')
})

test('an abort rejects with its own reason, also while waiting for the next try', async () => {
  const controller = new AbortController()
  const refuse: Step = (response, request) => {
    problem(429, 'rate_limited', { 'Retry-After': '30' })(response, request) as void
    response.on('finish', () => setImmediate(() => controller.abort(new Error('enough'))))
  }
  await using server = await startScriptedServer([refuse])

  const promise = createBerth({ baseUrl: server.baseUrl }).runs.get('r1', { signal: controller.signal })

  await expect(promise).rejects.toThrow('enough')
})

test.each(['.', '..', ''])('the name %j is refused: it would lead to another path', async (name) => {
  await using server = await startScriptedServer([json(200, {})])

  const error = await errorOf(createBerth({ baseUrl: server.baseUrl }).files.remove(name))

  expect(error.code).toBe('invalid_request')
  expect(server.received).toHaveLength(0)
})

test.each(['127.0.0.1:8787', 'ftp://x', ''])('the base URL %j is refused', (baseUrl) => {
  expect(() => createBerth({ baseUrl })).toThrow(/expected an http or https URL/)
})

test('a key and a token at once are refused', async () => {
  const berth = createBerth({ baseUrl: 'http://127.0.0.1:1', key: 'k', token: 't', retries: 0 })

  expect(await errorOf(berth.me())).toMatchObject({ code: 'config_invalid' })
})

test('a list goes from page to page as it is read', async () => {
  await using server = await startScriptedServer([
    json(200, { data: [{ id: 'r3' }, { id: 'r2' }], nextCursor: 'c 1' }),
    json(200, { data: [{ id: 'r1' }], nextCursor: null }),
  ])

  const ids = []
  for await (const { id } of createBerth({ baseUrl: server.baseUrl }).runs.list({ status: 'failed', pageSize: 2 }))
    ids.push(id)

  expect(ids).toEqual(['r3', 'r2', 'r1'])
  expect(server.received.map(({ path }) => path)).toEqual([
    '/v1/runs?status=failed&limit=2',
    '/v1/runs?status=failed&limit=2&cursor=c+1',
  ])
})
