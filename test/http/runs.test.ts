import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runSchema } from '../../src/domain/run.ts'
import { type RunningServer, startServer } from '../support/running-server.ts'

const python = (code: string, more: object = {}) => ({ json: { language: 'python', code, ...more } })

const nested = (levels: number) =>
  `{"language":"python","code":"1","variables":{"a":${'['.repeat(levels - 2)}${']'.repeat(levels - 2)}}}`

const filled = (bytes: number) => {
  const start = '{"language":"python","code":"1","variables":{"a":"é'
  return `${start}${'x'.repeat(bytes - Buffer.byteLength(start) - 3)}"}}`
}

const keyed = (key: string, json: object) => ({ json, headers: { 'Idempotency-Key': key } })

describe('POST /v1/runs', () => {
  let server: RunningServer
  let alice: ReturnType<RunningServer['as']>
  beforeAll(async () => {
    server = await startServer({ BERTH_MAX_PAYLOAD_BYTES: '20000', BERTH_MAX_SOURCE_BYTES: '5000' })
    alice = server.as('alice')
  })
  afterAll(() => server[Symbol.asyncDispose]())

  test('answers with the finished run, as the schema describes it', async () => {
    const { status, body, headers } = await alice('POST', '/v1/runs', python('print("hi")\n6 * 7'))

    expect(status).toBe(200)
    expect(runSchema.parse(body)).toMatchObject({ status: 'succeeded', logs: { stdout: 'hi\n' } })
    expect(body.results[0]).toMatchObject({ isMain: true, text: '42' })
    expect(headers.get('location')).toBe(`/v1/runs/${body.id}`)
    expect(headers.get('server-timing')).toMatch(
      /^queue;dur=[\d.]+, cold;dur=[\d.]+, exec;dur=[\d.]+, total;dur=[\d.]+$/,
    )
  })

  test('answers 200 when the code raises: the status is about Berth', async () => {
    const { status, body } = await alice('POST', '/v1/runs', python('\n1 / 0'))

    expect(status).toBe(200)
    expect(body).toMatchObject({ status: 'failed', error: { name: 'ZeroDivisionError', line: 2 } })
  })

  test('gives variables of any Unicode to the code and back', async () => {
    const text = 'naïve 🐍 \u2028 "q" \\ \u0000'
    const { body } = await alice('POST', '/v1/runs', python('variables["text"]', { variables: { text } }))

    expect(body.results[0].json).toBe(text)
  })

  test('can be read afterwards, and is in the list, newest first', async () => {
    await alice('POST', '/v1/runs', python('0'))
    const first = await alice('POST', '/v1/runs', python('1'))
    const second = await alice('POST', '/v1/runs', python('2'))
    const read = await alice('GET', `/v1/runs/${first.body.id}`)
    const list = await alice('GET', '/v1/runs?limit=2')

    expect(read.status).toBe(200)
    expect(read.body).toMatchObject({ id: first.body.id, status: 'succeeded' })
    expect(list.body.data.map((run: { id: string }) => run.id)).toEqual([second.body.id, first.body.id])
    expect(list.body.nextCursor).toEqual(expect.any(String))
  })

  test('pages through all runs without a gap or a repeat', async () => {
    const bob = server.as('bob-who-pages')
    for (let n = 0; n < 5; n += 1) await bob('POST', '/v1/runs', python(String(n)))
    const seen: string[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const { body } = await bob(
        'GET',
        `/v1/runs?limit=2${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`,
      )
      seen.push(...body.data.map((run: { id: string }) => run.id))
      cursor = body.nextCursor
    }

    expect(new Set(seen).size).toBe(5)
    expect(seen).toHaveLength(5)
  })

  test('lists by status', async () => {
    await alice('POST', '/v1/runs', python('1 / 0'))
    const { body } = await alice('GET', '/v1/runs?status=failed')

    expect(body.data.length).toBeGreaterThan(0)
    expect(new Set(body.data.map((run: { status: string }) => run.status))).toEqual(new Set(['failed']))
  })

  test.each(['limit=0', 'limit=101', 'limit=x', 'limit=1.5', 'limit=', 'status=done', 'page=2', 'limit=1&limit=2'])(
    'refuses the query ?%s of a list',
    async (query) => {
      const { status, body } = await alice('GET', `/v1/runs?${query}`)

      expect(status).toBe(400)
      expect(body.code).toBe('invalid_request')
    },
  )

  test('refuses a cursor that it did not make', async () => {
    // Lists of someone never seen are empty, whatever the cursor.
    await alice('POST', '/v1/runs', python('1'))

    expect((await alice('GET', '/v1/runs?cursor=%00%ff')).status).toBe(400)
    expect((await alice('GET', '/v1/runs?cursor=abc')).status).toBe(400)
  })

  test.each(['limit=1', 'limit=100'])('takes the query ?%s', async (query) => {
    expect((await alice('GET', `/v1/runs?${query}`)).status).toBe(200)
  })

  test('names every fault of a body, with a pointer, what was expected and what was got', async () => {
    const json = { language: 'pyton', code: 7, files: ['a/b'], timeoutMs: 900_001, memoriMiB: 5 }
    const { status, body, headers } = await alice('POST', '/v1/runs', { json })

    expect(status).toBe(400)
    expect(headers.get('content-type')).toBe('application/problem+json')
    expect(body.errors).toEqual(
      expect.arrayContaining([
        { pointer: '/language', detail: 'expected one of "python", "typescript", got "pyton"' },
        { pointer: '/code', detail: 'expected a string, got 7' },
        { pointer: '/timeoutMs', detail: 'expected a number of at most 900000, got 900001' },
        { pointer: '/memoriMiB', detail: 'there is no such field; did you mean "memoryMiB"?' },
        expect.objectContaining({ pointer: '/files/0' }),
      ]),
    )
  })

  test('takes the tenant from the caller and never from the body', async () => {
    const { status, body } = await alice('POST', '/v1/runs', python('1', { tenant: 'bob' }))

    expect(status).toBe(400)
    expect(body.errors[0].pointer).toBe('/tenant')
  })

  test('refuses a key that would vanish without a word', async () => {
    const body = '{"language":"python","code":"1","variables":{"a":{"__proto__":{"x":1}}}}'
    const headers = { 'Content-Type': 'application/json' }

    expect((await alice('POST', '/v1/runs', { body, headers })).body.detail).toContain('__proto__')
  })

  test('takes JSON of 100 levels and refuses 101', async () => {
    const headers = { 'Content-Type': 'application/json' }

    expect((await alice('POST', '/v1/runs', { body: nested(100), headers })).status).toBe(200)
    expect((await alice('POST', '/v1/runs', { body: nested(101), headers })).status).toBe(400)
    expect((await alice('POST', '/v1/runs', { body: nested(9000), headers })).status).toBe(400)
  })

  test.each([
    ['no JSON', '{', 'malformed_json'],
    ['an empty body', '', 'malformed_json'],
    ['no UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'malformed_json'],
    ['a list', '[]', 'invalid_request'],
    ['null', 'null', 'invalid_request'],
  ])('refuses %s', async (_name, body, code) => {
    const answer = await alice('POST', '/v1/runs', { body, headers: { 'Content-Type': 'application/json' } })

    expect(answer).toMatchObject({ status: 400, body: { code } })
  })

  test.each([
    [{ 'Content-Type': 'text/plain' }],
    [{ 'Content-Type': 'application/jsonp' }],
    [{ 'Content-Type': 'application/json; charset=latin1' }],
    [{ 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' }],
  ])('refuses a body sent as %j', async (headers) => {
    const answer = await alice('POST', '/v1/runs', { body: '{"language":"python","code":"1"}', headers })

    expect(answer).toMatchObject({ status: 415, body: { code: 'unsupported_media_type' } })
  })

  test('takes a charset of UTF-8 in any case', async () => {
    const headers = { 'Content-Type': 'Application/JSON; charset="UTF-8"' }

    expect((await alice('POST', '/v1/runs', { body: '{"language":"python","code":"1"}', headers })).status).toBe(200)
  })

  test('takes a body of exactly its limit in bytes, and refuses one byte more', async () => {
    const headers = { 'Content-Type': 'application/json' }
    const over = await alice('POST', '/v1/runs', { body: filled(20_001), headers })

    expect(Buffer.byteLength(filled(20_000))).toBe(20_000)
    expect((await alice('POST', '/v1/runs', { body: filled(20_000), headers })).body.code).not.toBe('malformed_json')
    expect(over).toMatchObject({ status: 413, body: { code: 'payload_too_large' } })
    expect(over.body.detail).toContain('The body may have 20000 bytes')
  })

  test('refuses source over its limit', async () => {
    expect((await alice('POST', '/v1/runs', python('#'.repeat(5000)))).status).toBe(200)
    expect(await alice('POST', '/v1/runs', python('#'.repeat(5001)))).toMatchObject({
      status: 413,
      body: { code: 'source_too_large' },
    })
  })

  test('refuses a file that does not exist', async () => {
    expect(await alice('POST', '/v1/runs', python('1', { files: ['nope.csv'] }))).toMatchObject({
      status: 422,
      body: { code: 'file_not_found' },
    })
  })

  test('has 404 for unknown and for malformed ids of runs', async () => {
    for (const id of [`r${'a'.repeat(23)}`, 'x', '%2e%2e', 'r', `r${'A'.repeat(23)}`])
      expect(await alice('GET', `/v1/runs/${id}`)).toMatchObject({ status: 404, body: { code: 'not_found' } })
  })

  test('lists nothing for a tenant that was never seen, and does not sign it up', async () => {
    const ghost = server.as('ghost')

    expect((await ghost('GET', '/v1/runs')).body).toEqual({ data: [], nextCursor: null })
    expect((await ghost('GET', '/v1/files')).body).toEqual({ data: [], nextCursor: null })
    expect((await ghost('GET', '/v1/me')).body.tenant).toBeNull()
  })
})

describe('Prefer: respond-async', () => {
  let server: RunningServer
  let alice: ReturnType<RunningServer['as']>
  beforeAll(async () => {
    server = await startServer()
    alice = server.as('alice')
  })
  afterAll(() => server[Symbol.asyncDispose]())

  const ended = async (id: string) => {
    await expect.poll(async () => (await alice('GET', `/v1/runs/${id}`)).body.finishedAt).not.toBeNull()
    return (await alice('GET', `/v1/runs/${id}`)).body
  }

  test('answers 202 at once, and the run ends by itself', async () => {
    const headers = { Prefer: 'handling=lenient, respond-async; wait=5' }
    const answer = await alice('POST', '/v1/runs', { ...python('21 * 2'), headers })

    expect(answer.status).toBe(202)
    expect(answer.headers.get('location')).toBe(`/v1/runs/${answer.body.id}`)
    expect(answer.headers.get('preference-applied')).toBe('respond-async')
    expect(await ended(answer.body.id)).toMatchObject({ status: 'succeeded', results: [{ text: '42' }] })
  })

  test('is not taken from a preference that only looks like it', async () => {
    const headers = { Prefer: 'respond-asynchronously' }

    expect((await alice('POST', '/v1/runs', { ...python('1'), headers })).status).toBe(200)
  })

  test('can be canceled while it runs', async () => {
    const headers = { Prefer: 'respond-async' }
    const { body } = await alice('POST', '/v1/runs', { ...python('import time\ntime.sleep(60)'), headers })
    await expect.poll(async () => (await alice('GET', `/v1/runs/${body.id}`)).body.status).toBe('running')
    const canceled = await alice('POST', `/v1/runs/${body.id}/cancel`)

    expect([200, 202]).toContain(canceled.status)
    expect(await ended(body.id)).toMatchObject({ status: 'canceled' })
  })

  test('cannot be canceled once it has ended', async () => {
    const { body } = await alice('POST', '/v1/runs', python('1'))

    expect(await alice('POST', `/v1/runs/${body.id}/cancel`)).toMatchObject({ status: 409, body: { code: 'conflict' } })
  })
})

describe('Idempotency-Key', () => {
  let server: RunningServer
  let alice: ReturnType<RunningServer['as']>
  beforeAll(async () => {
    server = await startServer()
    alice = server.as('alice')
  })
  afterAll(() => server[Symbol.asyncDispose]())

  const code = 'import random\nrandom.random()'

  test('with the same body gives the first run, also when its fields come in another order', async () => {
    const first = await alice('POST', '/v1/runs', keyed('a', { language: 'python', code }))
    const again = await alice('POST', '/v1/runs', keyed('a', { code, language: 'python', files: [] }))

    expect(first.headers.get('idempotency-replayed')).toBeNull()
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    expect(again.body.id).toBe(first.body.id)
    expect(again.body.results).toEqual(first.body.results)
  })

  test('with another body is refused', async () => {
    await alice('POST', '/v1/runs', keyed('b', { language: 'python', code }))

    expect(await alice('POST', '/v1/runs', keyed('b', { language: 'python', code: '2' }))).toMatchObject({
      status: 422,
      body: { code: 'idempotency_conflict' },
    })
  })

  test('of another tenant is another key', async () => {
    const first = await alice('POST', '/v1/runs', keyed('c', { language: 'python', code }))
    const other = await server.as('bob')('POST', '/v1/runs', keyed('c', { language: 'python', code }))

    expect(other.headers.get('idempotency-replayed')).toBeNull()
    expect(other.body.id).not.toBe(first.body.id)
  })

  test('has 255 printable characters at most', async () => {
    const json = { language: 'python', code: '1' }

    expect((await alice('POST', '/v1/runs', keyed('k'.repeat(255), json))).status).toBe(200)
    expect((await alice('POST', '/v1/runs', keyed('k'.repeat(256), json))).status).toBe(400)
    expect((await alice('POST', '/v1/runs', keyed('é', json))).status).toBe(400)
    expect((await alice('POST', '/v1/runs', keyed('', json))).status).toBe(400)
  })
})

describe('limits of a tenant', () => {
  test('answer 429 with Retry-After and RateLimit once the rate is used up, and leave others alone', async () => {
    await using server = await startServer({ BERTH_RATE_PER_MINUTE: '2' })
    const alice = server.as('alice')
    await alice('POST', '/v1/runs', python('1'))
    await alice('POST', '/v1/runs', python('1'))
    const third = await alice('POST', '/v1/runs', python('1'))

    expect(third).toMatchObject({ status: 429, body: { code: 'rate_limited', retryable: true } })
    expect(Number(third.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(third.headers.get('ratelimit')).toMatch(/^"rate_limited";r=0;t=\d+$/)
    expect((await server.as('bob')('POST', '/v1/runs', python('1'))).status).toBe(200)
  })

  test('answer 429 when the queue is full', async () => {
    await using server = await startServer({ BERTH_CONCURRENCY_PER_TENANT: '1', BERTH_QUEUE_PER_TENANT: '1' })
    const alice = server.as('alice')
    const stop = new AbortController()
    const slow = { ...python('import time\ntime.sleep(300)', { timeoutMs: 300_000 }), signal: stop.signal }
    await alice('POST', '/v1/runs', python('1'))
    const answers = [1, 2, 3].map(() => alice('POST', '/v1/runs', slow))

    expect(await Promise.race(answers)).toMatchObject({ status: 429, body: { code: 'queue_full' } })
    stop.abort()
    // The other two were not refused: one ran and one waited until they were given up here.
    const ended = await Promise.allSettled(answers)
    expect(ended.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected', 'rejected'])
  })
})
