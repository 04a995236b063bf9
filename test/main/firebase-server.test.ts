import type { CryptoKey, JWTPayload } from 'jose'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { parseConfig } from '../../src/main/config.ts'
import { startIssuer, type TestIssuer } from '../support/issuer.ts'
import { type RunningServer, startServer } from '../support/running-server.ts'

const seconds = (): number => Math.floor(Date.now() / 1000)

describe('a server with a Firebase project', () => {
  let google: TestIssuer
  let key: CryptoKey
  let server: RunningServer

  const firebaseOf = ({ jwksUri } = google): string =>
    JSON.stringify({ project: 'demo-berth', tenants: ['blue'], jwksUri })
  const sign = (claims: JWTPayload = {}, { by = key, kid = 'k1' } = {}): Promise<string> => {
    const standard = { iss: 'https://securetoken.google.com/demo-berth', aud: 'demo-berth', auth_time: seconds() }
    return google.sign(by, { ...standard, ...claims }, { alg: 'RS256', kid })
  }
  const unsigned = async (): Promise<string> => {
    const [, payload] = (await sign()).split('.')
    return `${Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')}.${payload}.`
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

  test.each<[string, () => Promise<string>, string]>([
    [
      'forged',
      async () => sign({}, { by: await google.addKey('k1', { alg: 'RS256', published: false }) }),
      'signature',
    ],
    ['that has expired', () => sign({ iat: seconds() - 3700, exp: seconds() - 100 }), 'it has expired'],
    ['of another audience', () => sign({ aud: 'demo-other' }), 'the claim "aud" does not hold'],
    ['of another issuer', () => sign({ iss: 'https://accounts.google.com' }), 'not one that this server trusts'],
    ['with alg none', unsigned, 'its algorithm is not RS256'],
    ['of an unknown key', () => sign({}, { kid: 'k9' }), 'a key that Google does not publish'],
    ['issued in the future', () => sign({ iat: seconds() + 300 }), 'the claim "iat" is in the future'],
    [
      'of another project',
      () => sign({ iss: 'https://securetoken.google.com/demo-other', aud: 'demo-other' }),
      'not one that this server trusts',
    ],
    [
      'that is a session cookie',
      () => sign({ iss: 'https://session.firebase.google.com/demo-berth' }),
      'not one that this server trusts',
    ],
    [
      'that is a custom token, which only Google may take',
      () =>
        sign({
          iss: 'admin@demo-berth.iam.gserviceaccount.com',
          aud: 'https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit',
          uid: 'ada',
        }),
      'not one that this server trusts',
    ],
    [
      'of a blocking function, of the same issuer and keys',
      () => sign({ aud: 'https://us-central1-demo-berth.cloudfunctions.net/beforeCreate', event_type: 'beforeCreate' }),
      'the claim "aud" does not hold',
    ],
    ['of a tenant that is not let in', () => sign({ firebase: { tenant: 'red' } }), 'Identity Platform tenant'],
  ])('answers 401 to a token %s', async (_name, make, reason) => {
    const answer = await server.call('GET', '/v1/runs', { key: await make() })

    expect(answer).toMatchObject({ status: 401, body: { code: 'unauthenticated', retryable: false } })
    expect(answer.body.detail).toContain(reason)
  })

  test('control: takes a token that is none of these', async () => {
    expect((await server.call('GET', '/v1/runs', { key: await sign({ firebase: { tenant: 'blue' } }) })).status).toBe(
      200,
    )
  })

  test('follows Google to a new key after half a minute, and leaves the old one after ten', async () => {
    await using rotating = await startIssuer()
    const first = await rotating.addKey('k1', { alg: 'RS256' })
    await using fresh = await startServer({ BERTH_FIREBASE: firebaseOf(rotating) })
    const ask = async (by: CryptoKey, kid: string) =>
      (await fresh.call('GET', '/v1/runs', { key: await sign({}, { by, kid }) })).status
    // The age of the key set is by the process's clock.
    const startMs = Date.now()
    const after = (ms: number) => vi.useFakeTimers({ toFake: ['Date'], now: startMs + ms })
    try {
      const before = await ask(first, 'k1')
      const second = await rotating.addKey('k2', { alg: 'RS256' })
      after(31_000)
      const rotated = [await ask(first, 'k1'), await ask(second, 'k2')]
      rotating.withdrawKey('k1')
      after(11 * 60_000)

      expect([before, ...rotated]).toEqual([200, 200, 200])
      expect(await ask(first, 'k1')).toBe(401)
      expect(await ask(second, 'k2')).toBe(200)
    } finally {
      vi.useRealTimers()
    }
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
