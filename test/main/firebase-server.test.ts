import type { CryptoKey, JWTPayload } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseConfig } from '../../src/main/config.ts'
import { startIssuer, type TestIssuer } from '../support/issuer.ts'
import { type RunningServer, startServer } from '../support/running-server.ts'

describe('a server with a Firebase project', () => {
  let google: TestIssuer
  let key: CryptoKey
  let server: RunningServer

  const firebaseOf = (): string => JSON.stringify({ project: 'demo-berth', tenants: ['blue'], jwksUri: google.jwksUri })
  const sign = (claims: JWTPayload = {}): Promise<string> => {
    const seconds = Math.floor(Date.now() / 1000)
    const standard = { iss: 'https://securetoken.google.com/demo-berth', aud: 'demo-berth', auth_time: seconds }
    return google.sign(key, { ...standard, ...claims }, { alg: 'RS256' })
  }

  beforeAll(async () => {
    google = await startIssuer()
    key = await google.addKey('k1', { alg: 'RS256' })
    server = await startServer({ BERTH_FIREBASE: firebaseOf() })
  })
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
    await google[Symbol.asyncDispose]()
  })

  test('runs the code of a user who calls with an ID token', async () => {
    const answer = await server.call('POST', '/v1/runs', {
      key: await sign({ sub: 'a/../😀' }),
      json: { language: 'python', code: 'print(1)' },
    })

    expect(answer).toMatchObject({ status: 200, body: { status: 'succeeded' } })
  })

  test.each<[string, JWTPayload]>([
    ['another project', { iss: 'https://securetoken.google.com/demo-other', aud: 'demo-other' }],
    ['another audience', { aud: 'demo-other' }],
    ['a tenant that is not let in', { firebase: { tenant: 'red' } }],
  ])('answers 401 to a token of %s', async (_name, claims) => {
    const answer = await server.call('GET', '/v1/runs', { key: await sign(claims) })

    expect(answer).toMatchObject({ status: 401, body: { code: 'unauthenticated' } })
  })

  test('answers 403 to a user who asks for what only operators may', async () => {
    expect(await server.call('GET', '/v1/tenants', { key: await sign() })).toMatchObject({ status: 403 })
  })

  test('answers 503 with Retry-After while the keys cannot be had', async () => {
    google.setDown(true)
    try {
      await using fresh = await startServer({ BERTH_FIREBASE: firebaseOf() })
      const answer = await fresh.call('GET', '/v1/runs', { key: await sign() })

      expect(answer).toMatchObject({ status: 503, body: { code: 'identity_unavailable' } })
      expect(answer.headers.get('retry-after')).toBe('2')
    } finally {
      google.setDown(false)
    }
  })

  test.each([
    ['BERTH_OIDC_ISSUERS', [{ project: 'demo-berth', issuer: 'https://id.example', audience: 'x' }]],
    ['BERTH_OIDC_ISSUERS', [{ project: 'x', issuer: 'https://securetoken.google.com/demo-berth', audience: 'x' }]],
    ['BERTH_HOOK_SOURCES', [{ name: 'a', provider: 'auth0', project: 'demo-berth', bearer: ['b'.repeat(32)] }]],
  ])('does not start with a second door in %s to the same project', (variable, entries) => {
    const parse = () => parseConfig({ BERTH_FIREBASE: firebaseOf(), [variable]: JSON.stringify(entries) })

    expect(parse).toThrow(`${variable}: expected no entry for the project of BERTH_FIREBASE`)
  })

  test('does not start with a project that is no project id', () => {
    expect(() => parseConfig({ BERTH_FIREBASE: '{"project":"a/b"}' })).toThrow('expected a Google Cloud project id')
  })
})
