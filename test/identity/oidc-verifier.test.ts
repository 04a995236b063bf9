import { createHmac } from 'node:crypto'
import type { CryptoKey } from 'jose'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Clock } from '../../src/domain/ports/clock.ts'
import { createOidcVerifier } from '../../src/identity/oidc-verifier.ts'
import { createSystemClock } from '../../src/main/system-clock.ts'
import { startIssuer, type TestIssuer } from '../support/issuer.ts'

const signal = new AbortController().signal
const nowSeconds = (): number => Math.floor(Date.now() / 1000)

/** The machine's clock, and a knob. */
const createShiftedClock = (): Clock & { shiftMs: number } => {
  const real = createSystemClock()
  const clock = {
    shiftMs: 0,
    now: () => new Date(Date.now() + clock.shiftMs),
    monotonicMs: () => performance.now() + clock.shiftMs,
    sleep: (ms: number, signal: AbortSignal) => real.sleep(ms, signal),
  }
  return clock
}

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

describe('a bearer JWT', () => {
  let issuer: TestIssuer
  let key: CryptoKey
  let clock: ReturnType<typeof createShiftedClock>

  beforeEach(async () => {
    issuer = await startIssuer()
    key = await issuer.addKey('k1')
    clock = createShiftedClock()
  })
  afterEach(() => issuer[Symbol.asyncDispose]())

  const verifierOf = (more: { tenantClaim?: string; jwksUri?: string; jwksCooldownMs?: number } = {}) => {
    const { jwksCooldownMs = 0, ...rest } = more
    return createOidcVerifier({
      issuers: [{ project: 'demo', issuer: issuer.url, audience: 'berth', ...rest }],
      clock,
      jwksCooldownMs,
    })
  }
  const verify = (token: string, more?: Parameters<typeof verifierOf>[0]) => verifierOf(more).verify(token, { signal })

  test('of a trusted issuer names its tenant', async () => {
    expect(await verify(await issuer.sign(key))).toEqual({
      kind: 'user',
      externalId: { project: 'demo', identityTenant: '', uid: 'alice' },
    })
  })

  test('may be signed with RS256 too', async () => {
    const rsa = await issuer.addKey('rsa', { alg: 'RS256' })

    expect(await verify(await issuer.sign(rsa, {}, { alg: 'RS256', kid: 'rsa' }))).toMatchObject({ kind: 'user' })
  })

  test('names the tenant inside a multi-tenant project by a nested claim', async () => {
    const token = await issuer.sign(key, { firebase: { tenant: 'blue' } })

    expect(await verify(token, { tenantClaim: 'firebase.tenant' })).toMatchObject({
      externalId: { identityTenant: 'blue', uid: 'alice' },
    })
  })

  test.each([
    ['a number', 7],
    ['an object', {}],
    ['null', null],
    ['too long', 'x'.repeat(129)],
  ])('is refused when the tenant claim is %s', async (_name, tenant) => {
    const token = await issuer.sign(key, { firebase: { tenant } })

    await expect(verify(token, { tenantClaim: 'firebase.tenant' })).rejects.toMatchObject({ code: 'unauthenticated' })
  })

  test.each<[string, Record<string, unknown>, string]>([
    ['another issuer', { iss: 'https://evil.example' }, 'issuer'],
    ['another audience', { aud: 'someone-else' }, 'audience'],
    ['an expired time', { exp: nowSeconds() - 61 }, 'expired'],
    ['a start in the future', { nbf: nowSeconds() + 120 }, '"nbf"'],
    ['an issue time in the future', { iat: nowSeconds() + 120 }, 'future'],
    ['no end', { exp: undefined }, '"exp"'],
    ['no subject', { sub: undefined }, '"sub"'],
    ['an empty subject', { sub: '' }, 'usable id'],
    ['a subject that is too long', { sub: 'x'.repeat(129) }, 'usable id'],
    ['a subject with NUL', { sub: 'a\0b' }, 'usable id'],
  ])('with %s is refused', async (_name, claims, reason) => {
    const token = await issuer.sign(key, claims)

    await expect(verify(token)).rejects.toMatchObject({
      code: 'unauthenticated',
      message: expect.stringContaining(reason),
    })
  })

  test('is taken within 60 s after its end, for clocks that differ', async () => {
    expect(await verify(await issuer.sign(key, { exp: nowSeconds() - 50 }))).toMatchObject({ kind: 'user' })
  })

  test('may have several audiences', async () => {
    expect(await verify(await issuer.sign(key, { aud: ['x', 'berth'] }))).toMatchObject({ kind: 'user' })
  })

  test('that says alg none is refused, whatever it is signed with', async () => {
    const good = await issuer.sign(key)
    const [, payload = '', signature = ''] = good.split('.')

    for (const alg of ['none', 'None', 'NONE'])
      for (const end of ['', signature])
        await expect(verify(`${part({ alg })}.${payload}.${end}`)).rejects.toMatchObject({ code: 'unauthenticated' })
  })

  test('signed by HMAC with the public key as its secret is refused', async () => {
    const { keys } = (await (await fetch(issuer.jwksUri)).json()) as { keys: object[] }
    const [, payload = ''] = (await issuer.sign(key)).split('.')
    const head = `${part({ alg: 'HS256', kid: 'k1' })}.${payload}`
    const forged = createHmac('sha256', JSON.stringify(keys[0])).update(head).digest('base64url')

    await expect(verify(`${head}.${forged}`)).rejects.toMatchObject({ message: expect.stringContaining('algorithm') })
  })

  test('with the key inside its own header is refused', async () => {
    const stranger = await issuer.addKey('k2', { published: false })
    const token = await issuer.sign(stranger, {}, { kid: 'k1' })

    await expect(verify(token)).rejects.toMatchObject({ message: expect.stringContaining('signature') })
  })

  test('whose claims were changed after signing is refused', async () => {
    const [head, payload = '', signature] = (await issuer.sign(key)).split('.')
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object

    await expect(verify(`${head}.${part({ ...claims, sub: 'bob' })}.${signature}`)).rejects.toMatchObject({
      message: expect.stringContaining('signature'),
    })
  })

  test('with a critical header that nobody understands is refused', async () => {
    const [, payload, signature] = (await issuer.sign(key)).split('.')

    await expect(
      verify(`${part({ alg: 'ES256', kid: 'k1', crit: ['x'], x: 1 })}.${payload}.${signature}`),
    ).rejects.toMatchObject({ code: 'unauthenticated' })
  })

  test.each(['a.b.c', 'e30.e30.', `${'A'.repeat(9000)}.e30.e30`])('that is no JWT at all is refused', async (token) => {
    await expect(verify(token)).rejects.toMatchObject({ code: 'unauthenticated' })
  })

  test('is left to others when it has not the form of one', async () => {
    expect(await verify('berth_abc')).toBeNull()
  })

  test('of a withdrawn key is refused once the cached answer is five minutes old', async () => {
    const verifier = verifierOf()
    const token = await issuer.sign(key)
    await verifier.verify(token, { signal })
    await issuer.addKey('k2')
    issuer.withdrawKey('k1')

    expect(await verifier.verify(token, { signal })).toMatchObject({ kind: 'user' })
    clock.shiftMs = 5 * 60_000 + 1
    // jose keeps the key set itself for ten minutes; a new verifier has none.
    await expect(verifierOf().verify(token, { signal })).rejects.toMatchObject({ code: 'unauthenticated' })
  })

  test('is not taken from the cache after its end', async () => {
    const verifier = verifierOf()
    const token = await issuer.sign(key, { exp: nowSeconds() + 30 })
    await verifier.verify(token, { signal })
    clock.shiftMs = 120_000

    await expect(verifier.verify(token, { signal })).rejects.toMatchObject({
      message: expect.stringContaining('expired'),
    })
  })

  test('is checked without asking the issuer again for the same keys', async () => {
    const verifier = verifierOf()
    for (const sub of ['a', 'b', 'c']) await verifier.verify(await issuer.sign(key, { sub }), { signal })

    expect(issuer.fetches()).toBe(1)
  })

  test('lets many waiters share one fetch', async () => {
    const verifier = verifierOf()
    const tokens = await Promise.all(Array.from({ length: 20 }, (_, n) => issuer.sign(key, { sub: `u${n}` })))

    await Promise.all(tokens.map((token) => verifier.verify(token, { signal })))

    expect(issuer.fetches()).toBe(1)
  })

  test('of a key that is new is taken after one more fetch', async () => {
    const verifier = verifierOf()
    await verifier.verify(await issuer.sign(key), { signal })
    const rotated = await issuer.addKey('k2')

    expect(await verifier.verify(await issuer.sign(rotated, {}, { kid: 'k2' }), { signal })).toMatchObject({
      kind: 'user',
    })
  })

  test('with made-up key ids does not make the server ask the issuer each time', async () => {
    const verifier = verifierOf({ jwksCooldownMs: 30_000 })
    await verifier.verify(await issuer.sign(key), { signal })
    const stranger = await issuer.addKey('x', { published: false })

    for (let n = 0; n < 10; n += 1)
      await expect(
        verifier.verify(await issuer.sign(stranger, {}, { kid: `x${n}` }), { signal }),
      ).rejects.toMatchObject({
        message: expect.stringContaining('does not publish'),
      })

    expect(issuer.fetches()).toBe(1)
  })

  test('cannot be checked while the issuer is down: that is 503 and not 401', async () => {
    issuer.setDown(true)
    const verifier = verifierOf({ jwksUri: issuer.jwksUri })
    const token = await issuer.sign(key)

    await expect(verifier.verify(token, { signal })).rejects.toMatchObject({ code: 'identity_unavailable' })
    const asked = issuer.fetches()
    await expect(verifier.verify(token, { signal })).rejects.toMatchObject({ code: 'identity_unavailable' })
    expect(issuer.fetches()).toBe(asked)
  })

  test('is checked again as soon as the issuer is back', async () => {
    issuer.setDown(true)
    const verifier = verifierOf()
    const token = await issuer.sign(key)
    await expect(verifier.verify(token, { signal })).rejects.toMatchObject({ code: 'identity_unavailable' })
    issuer.setDown(false)
    clock.shiftMs = 1001

    expect(await verifier.verify(token, { signal })).toMatchObject({ kind: 'user' })
  })
})
