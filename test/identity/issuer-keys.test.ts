import type { CryptoKey } from 'jose'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createOidcVerifier } from '../../src/identity/oidc-verifier.ts'
import { createSystemClock } from '../../src/main/system-clock.ts'
import { startIssuer, type TestIssuer } from '../support/issuer.ts'

const signal = new AbortController().signal
const outage = { code: 'identity_unavailable', retryAfterSeconds: 2 }

describe('an issuer that answers 200 and no keys', () => {
  let issuer: TestIssuer
  let key: CryptoKey
  let asked: number
  let nowMs: number

  beforeEach(async () => {
    issuer = await startIssuer()
    key = await issuer.addKey('k1')
    asked = 0
    nowMs = 0
  })
  afterEach(() => issuer[Symbol.asyncDispose]())

  const open = (more: { jwksUri?: string } = { jwksUri: issuer.jwksUri }) => {
    const verifier = createOidcVerifier({
      issuers: [{ project: 'demo', issuer: issuer.url, audience: 'berth', ...more }],
      clock: { ...createSystemClock(), monotonicMs: () => 10_000 + nowMs },
      fetch: (input, init) => {
        asked += 1
        return fetch(input, init)
      },
      jwksCooldownMs: 0,
    })
    return async (sub: string, kid = 'k1') => verifier.verify(await issuer.sign(key, { sub }, { kid }), { signal })
  }

  const bodies = [
    ['a page', '<html>'],
    ['nothing', ''],
    ['null', 'null'],
    ['another object', '{}'],
    ['an empty set', '{"keys":[]}'],
    ['no list', '{"keys":{"kid":"k1"}}'],
    ['a list of no keys', '{"keys":["k1"]}'],
  ]

  test.each(bodies)('but %s is away: 503, and asked again once a second', async (_name, body) => {
    const call = open()
    issuer.setBody(body)
    for (const sub of ['a', 'b', 'c']) await expect(call(sub)).rejects.toMatchObject(outage)
    expect(asked).toBe(1)

    issuer.setBody(null)
    nowMs = 1001
    expect(await call('a')).toMatchObject({ kind: 'user' })
  })

  test.each(bodies)('but %s keeps the keys that it had', async (_name, body) => {
    const call = open()
    await call('a')
    issuer.setBody(body)

    await expect(call('a', 'unknown')).rejects.toMatchObject(outage)
    expect(await call('b')).toMatchObject({ kind: 'user' })
  })

  test.each([
    ...bodies,
    ['the document of another issuer', '{"issuer":"https://a.example","jwks_uri":"https://a.example/k"}'],
  ])('but %s in place of its discovery document is away as well', async (_name, body) => {
    const call = open({})
    issuer.setBody(body)
    for (const sub of ['a', 'b', 'c']) await expect(call(sub)).rejects.toMatchObject(outage)
    expect(asked).toBe(1)
  })

  test('but a key that cannot be used is not the fault of the token that names it', async () => {
    const call = open()
    issuer.setBody('{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA","kid":"k1","alg":"ES256"}]}')

    await expect(call('a')).rejects.toMatchObject(outage)
  })

  test('control: a set with keys, in which one is not, is a fault of the token', async () => {
    const call = open()

    await expect(call('a', 'unknown')).rejects.toMatchObject({ code: 'unauthenticated' })
  })
})
