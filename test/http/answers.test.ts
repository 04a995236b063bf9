import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningServer, startServer } from '../support/running-server.ts'

interface Described {
  readonly operationId: string
  readonly responses: Record<string, { content?: Record<string, unknown> }>
}

describe('every answer', () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await startServer()
  })
  afterAll(() => server[Symbol.asyncDispose]())

  test('has a request id: the caller’s own when it is harmless', async () => {
    const own = await server.call('GET', '/health', { headers: { 'X-Request-Id': 'abc-1.2:3' } })
    const hostile = await server.call('GET', '/health', { headers: { 'X-Request-Id': 'a b<script>' } })
    const long = await server.call('GET', '/health', { headers: { 'X-Request-Id': 'x'.repeat(65) } })

    expect(own.headers.get('x-request-id')).toBe('abc-1.2:3')
    expect(hostile.headers.get('x-request-id')).toMatch(/^q[\da-z]+$/)
    expect(long.headers.get('x-request-id')).toMatch(/^q[\da-z]+$/)
  })

  test('passes a trace on, unless it is malformed', async () => {
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
    const good = await server.call('GET', '/health', { headers: { traceparent } })
    const bad = await server.call('GET', '/health', { headers: { traceparent: 'x' } })

    expect(good.headers.get('traceparent')).toBe(traceparent)
    expect(bad.headers.get('traceparent')).toBeNull()
  })

  test('protects itself from browsers and does not say what it runs on', async () => {
    const { headers } = await server.call('GET', '/health')

    expect(headers.get('x-powered-by')).toBeNull()
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(headers.get('cross-origin-resource-policy')).toBe('same-origin')
    expect(headers.get('access-control-allow-origin')).toBeNull()
  })

  test('that is an error is a problem with all its parts', async () => {
    const { status, headers, body } = await server.call('GET', '/nowhere?q=1')

    expect(status).toBe(404)
    expect(headers.get('content-type')).toBe('application/problem+json')
    expect(body).toEqual({
      type: '/docs/errors#not_found',
      title: expect.any(String),
      status: 404,
      detail: 'There is no route GET /nowhere.',
      instance: '/nowhere',
      code: 'not_found',
      category: 'caller',
      retryable: false,
      remedy: expect.any(String),
      requestId: headers.get('x-request-id'),
      errors: [],
    })
  })

  test('to a wrong method is 405 with the right ones', async () => {
    const answers = await Promise.all([
      server.call('DELETE', '/v1/runs'),
      server.call('PATCH', '/v1/files/x'),
      server.call('POST', '/openapi.json'),
      server.call('OPTIONS', '/v1/me'),
    ])

    expect(answers.map(({ status, headers }) => [status, headers.get('allow')])).toEqual([
      [405, 'GET, HEAD, POST'],
      [405, 'DELETE, GET, HEAD, PUT'],
      [405, 'GET, HEAD'],
      [405, 'GET, HEAD'],
    ])
    expect(answers[0]?.body.code).toBe('method_not_allowed')
  })

  test.each(['/v1/runs/', '/V1/runs', '//v1/runs', '/v1/runs;x'])(
    'to %s is 404: there is one spelling',
    async (path) => {
      expect((await server.call('GET', path)).status).toBe(404)
    },
  )
})

describe('the documentation', () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await startServer()
  })
  afterAll(() => server[Symbol.asyncDispose]())

  test('is OpenAPI 3.1 with a unique id for every operation', async () => {
    const { status, body } = await server.call('GET', '/openapi.json')
    const operations = Object.values(body.paths).flatMap((item) => Object.values(item as Record<string, Described>))

    expect(status).toBe(200)
    expect(body.openapi).toBe('3.1.0')
    expect(operations.map(({ operationId }) => operationId).toSorted()).toEqual([
      'cancelRun',
      'createKey',
      'createRun',
      'createTenant',
      'deleteFile',
      'deleteTenant',
      'getArtifact',
      'getFile',
      'getFleet',
      'getHealth',
      'getMe',
      'getMetrics',
      'getMove',
      'getReady',
      'getReceipt',
      'getRun',
      'getRuntimes',
      'getTenant',
      'listArtifacts',
      'listFiles',
      'listKeys',
      'listRuns',
      'listTenants',
      'lookUpTenants',
      'moveTenant',
      'putFile',
      'receiveIdentityHook',
      'receiveProviderHook',
      'reconcile',
      'resumeTenant',
      'revokeKey',
      'rollBackFleet',
      'setFence',
      'startRollout',
      'streamRunEvents',
      'suspendTenant',
    ])
  })

  test('describes no answer without a status of success, and every error as a problem', async () => {
    const { body } = await server.call('GET', '/openapi.json')
    const operations = Object.values(body.paths).flatMap((item) => Object.values(item as Record<string, Described>))

    for (const { responses } of operations) {
      expect(Object.keys(responses).some((status) => status.startsWith('2'))).toBe(true)
      const refusals = Object.entries(responses).filter(([status]) => status >= '400')
      const types = refusals.flatMap(([, { content }]) => Object.keys(content ?? {}))
      expect(types).toEqual(refusals.map(() => 'application/problem+json'))
    }
  })

  test('refers only to what is there', async () => {
    const { text, body } = await server.call('GET', '/openapi.json')
    const references = [...text.matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name = '']) => name)

    expect(references.length).toBeGreaterThan(20)
    expect(references.filter((name) => !(name in body.components.schemas))).toEqual([])
  })

  test.each(['/docs', '/docs/errors'])('at %s is a page without scripts that its policy lets show', async (path) => {
    const { status, headers, text } = await server.call('GET', path)
    const { createHash } = await import('node:crypto')
    const style = /<style>([\s\S]*?)<\/style>/.exec(text)?.[1] ?? ''

    expect(status).toBe(200)
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(text).not.toMatch(/<script|\son\w+=|https?:\/\//)
    expect(headers.get('content-security-policy')).toContain(
      `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
    )
  })

  test('links lead somewhere', async () => {
    const { text } = await server.call('GET', '/docs')
    const anchors = new Set([...text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id))
    const links = [...text.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id)

    expect(links.filter((id) => !anchors.has(id))).toEqual([])
  })
})
