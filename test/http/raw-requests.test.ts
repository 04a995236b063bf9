import { once } from 'node:events'
import { createServer } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readBody } from '../../src/http/read-body.ts'
import { openRaw } from '../support/raw-connection.ts'
import { type RunningServer, startServer } from '../support/running-server.ts'

describe('a request that no client sends', () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await startServer({ BERTH_MAX_PAYLOAD_BYTES: '65536', BERTH_MAX_FILE_BYTES: '65536' })
  })
  afterAll(() => server[Symbol.asyncDispose]())

  const head = (method: string, path: string, more: readonly string[] = []): string =>
    [
      `${method} ${path} HTTP/1.1`,
      'Host: berth',
      `Authorization: Bearer ${server.serviceKey}`,
      'Berth-Tenant: alice',
      ...more,
      '',
      '',
    ].join('\r\n')

  test('with headers of more than 16 KiB is refused with a problem', async () => {
    using raw = await openRaw(server.url)
    raw.send(head('GET', '/health', [`X-Big: ${'x'.repeat(17_000)}`]))

    const answer = await raw.receive(/"code":"headers_too_large"/)

    expect(answer).toMatch(/^HTTP\/1\.1 431 /)
    expect(answer).toContain('application/problem+json')
    await raw.closed()
  })

  test('with headers just below that is taken', async () => {
    using raw = await openRaw(server.url)
    raw.send(head('GET', '/health', [`X-Big: ${'x'.repeat(15_000)}`]))

    expect(await raw.receive(/"ok"/)).toMatch(/^HTTP\/1\.1 200 /)
  })

  test.each([
    ['no HTTP', 'hello\r\n\r\n'],
    ['no Host', 'GET /health HTTP/1.1\r\n\r\n'],
    ['two lengths', 'POST /v1/runs HTTP/1.1\r\nHost: b\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx'],
    [
      'a length and chunks',
      'POST /v1/runs HTTP/1.1\r\nHost: b\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a space before the colon', 'GET /health HTTP/1.1\r\nHost : b\r\n\r\n'],
    ['a bare line feed in a header', 'GET /health HTTP/1.1\r\nHost: b\r\nX: a\rb\r\n\r\n'],
  ])('with %s is refused', async (_name, bytes) => {
    using raw = await openRaw(server.url)
    raw.send(bytes)

    expect(await raw.receive(/\r\n\r\n/)).toMatch(/^HTTP\/1\.1 400 /)
  })

  test('whose body never ends gets its answer, and is cut off soon after', async () => {
    using raw = await openRaw(server.url)
    raw.send(head('POST', '/v1/runs', ['Content-Type: application/json', 'Transfer-Encoding: chunked']))
    const chunk = `4000\r\n${' '.repeat(0x4000)}\r\n`
    const timer = setInterval(() => raw.send(chunk), 1)

    expect(await raw.receive(/payload_too_large/)).toMatch(/^HTTP\/1\.1 413 /)
    await raw.closed()
    clearInterval(timer)
  })

  test('that lets a body for a file go on after its limit is refused', async () => {
    using raw = await openRaw(server.url)
    raw.send(head('PUT', '/v1/files/big.bin', ['Transfer-Encoding: chunked']))
    const timer = setInterval(() => raw.send(`4000\r\n${' '.repeat(0x4000)}\r\n`), 1)

    expect(await raw.receive(/file_too_large/)).toMatch(/^HTTP\/1\.1 413 /)
    await raw.closed()
    clearInterval(timer)
    expect((await server.as('alice')('GET', '/v1/files/big.bin')).status).toBe(404)
  })

  test('that names its file ".." or an absolute path reaches no file', async () => {
    for (const path of [
      '/v1/files/..',
      '/v1/files/%2e%2e',
      '/v1/files/..%2f..%2fetc%2fpasswd',
      '/v1/files/%2Fetc%2Fpasswd',
    ]) {
      using raw = await openRaw(server.url)
      raw.send(head('GET', path, ['Connection: close']))

      expect(await raw.receive(/(?!)/)).toMatch(/^HTTP\/1\.1 (404|422) /)
    }
  })

  test('cannot put headers of its own into an answer', async () => {
    using raw = await openRaw(server.url)
    raw.send(head('GET', '/v1/files/a%0d%0aSet-Cookie:%20x=1', ['X-Request-Id: a b', 'Connection: close']))

    const answer = await raw.receive(/(?!)/)

    expect(answer).not.toMatch(/^set-cookie/im)
    expect(answer).not.toContain('X-Request-Id: a b')
  })

  test('that names two tenants is refused', async () => {
    using raw = await openRaw(server.url)
    raw.send(head('GET', '/v1/me', ['Berth-Tenant: bob']))

    expect(await raw.receive(/invalid_request/)).toMatch(/^HTTP\/1\.1 400 /)
  })
})

describe('a slow body', () => {
  test('is given up after its time', async () => {
    const results: unknown[] = []
    const server = createServer((request, response) => {
      void readBody(request, { maxBytes: 100, timeoutMs: 50 })
        .catch((error: unknown) => results.push(error))
        .finally(() => response.end('done'))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    using raw = await openRaw(`http://127.0.0.1:${port}`)
    raw.send('POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 10\r\n\r\nabc')
    await raw.receive(/done/)
    server.close()
    server.closeAllConnections()

    expect(results).toEqual([expect.objectContaining({ code: 'request_timeout' })])
  })

  test('that breaks off is no body', async () => {
    const { promise, resolve } = Promise.withResolvers<unknown>()
    const server = createServer((request) => {
      readBody(request, { maxBytes: 100, timeoutMs: 120_000 }).then(resolve, resolve)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const raw = await openRaw(`http://127.0.0.1:${port}`)
    raw.send('POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 10\r\n\r\nabc')
    await once(server, 'request')
    raw.socket.destroy()

    expect(await promise).toMatchObject({ code: 'invalid_request' })
    server.close()
  })
})
