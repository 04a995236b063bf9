import { assert, asyncProperty, constantFrom, oneof, string } from 'fast-check'
import type { CryptoKey, JWTPayload } from 'jose'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Clock } from '../../src/domain/ports/clock.ts'
import { firebaseProjectSchema } from '../../src/identity/firebase-project.ts'
import { createFirebaseVerifier } from '../../src/identity/firebase-verifier.ts'
import { createSystemClock } from '../../src/main/system-clock.ts'
import { startIssuer, type TestIssuer } from '../support/issuer.ts'

const signal = new AbortController().signal
const START_MS = Date.now()
const startSeconds = Math.floor(START_MS / 1000)
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Stands still, and has a knob. */
const createHeldClock = (): Clock & { shiftMs: number } => {
  const clock = {
    shiftMs: 0,
    now: () => new Date(START_MS + clock.shiftMs),
    monotonicMs: () => 10_000_000 + clock.shiftMs,
    sleep: createSystemClock().sleep,
  }
  return clock
}

describe('a Firebase ID token', () => {
  let google: TestIssuer
  let key: CryptoKey
  let clock: ReturnType<typeof createHeldClock>

  beforeEach(async () => {
    google = await startIssuer()
    key = await google.addKey('k1', { alg: 'RS256' })
    clock = createHeldClock()
  })
  afterEach(async () => {
    vi.useRealTimers()
    await google[Symbol.asyncDispose]()
  })

  const claimsOf = (claims: Record<string, unknown>): JWTPayload => ({
    iss: 'https://securetoken.google.com/demo-berth',
    aud: 'demo-berth',
    sub: 'alice',
    iat: startSeconds,
    auth_time: startSeconds,
    exp: startSeconds + 3600,
    ...claims,
  })
  const sign = (
    claims: Record<string, unknown> = {},
    { by = key, kid = 'k1' }: { by?: CryptoKey; kid?: string } = {},
  ) => google.sign(by, claimsOf(claims), { alg: 'RS256', kid })
  const verifierOf = (tenants: readonly string[] = [], jwksCooldownMs = 0) =>
    createFirebaseVerifier({
      firebase: firebaseProjectSchema.parse({ project: 'demo-berth', tenants, jwksUri: google.jwksUri }),
      clock,
      jwksCooldownMs,
    })
  const verify = (token: string, tenants?: readonly string[]) => verifierOf(tenants).verify(token, { signal })

  test('names its user by project, no tenant, and uid', async () => {
    expect(await verify(await sign())).toEqual({
      kind: 'user',
      externalId: { project: 'demo-berth', identityTenant: '', uid: 'alice' },
    })
  })

  test('says that the e-mail address is verified only when it is', async () => {
    expect(await verify(await sign({ email_verified: true }))).toMatchObject({ emailVerified: true })
    expect(await verify(await sign({ email_verified: 'true' }))).not.toHaveProperty('emailVerified')
  })

  test('of an Identity Platform tenant on the list names the tenant', async () => {
    expect(await verify(await sign({ firebase: { tenant: 'blue' } }), ['blue'])).toMatchObject({
      externalId: { identityTenant: 'blue', uid: 'alice' },
    })
  })

  test.each([[[]], [['green']], [['Blue']]])('of a tenant that is not on the list %j is refused', async (tenants) => {
    await expect(verify(await sign({ firebase: { tenant: 'blue' } }), tenants)).rejects.toMatchObject({
      code: 'unauthenticated',
      message: expect.stringContaining('tenant is not one'),
    })
  })

  test.each([7, {}, null, ''])(
    'whose tenant is %j is refused and not taken for a user of the project',
    async (tenant) => {
      await expect(verify(await sign({ firebase: { tenant } }))).rejects.toMatchObject({ code: 'unauthenticated' })
    },
  )

  test.each<[string, Record<string, unknown>, string]>([
    ['of another audience', { aud: 'demo-other' }, '"aud"'],
    ['of two audiences', { aud: ['demo-berth', 'demo-other'] }, '"aud"'],
    ['that has expired', { exp: startSeconds - 61 }, 'expired'],
    ['issued in the future', { iat: startSeconds + 61 }, '"iat" is in the future'],
    ['of a sign-in in the future', { auth_time: startSeconds + 61 }, '"auth_time" is in the future'],
    ['of a sign-in at no time', { auth_time: 'now' }, '"auth_time" is not a time'],
    ['without a sign-in', { auth_time: undefined }, '"auth_time"'],
    ['without an end', { exp: undefined }, '"exp"'],
    ['with an empty uid', { sub: '' }, 'usable id'],
    ['with a uid of 129 units', { sub: 'x'.repeat(129) }, 'usable id'],
    ['with half a surrogate pair as uid', { sub: 'a\ud83d' }, 'usable id'],
    ['with NUL in its uid', { sub: 'a\0b' }, 'usable id'],
  ])('%s is refused', async (_name, claims, reason) => {
    await expect(verify(await sign(claims))).rejects.toMatchObject({
      code: 'unauthenticated',
      message: expect.stringContaining(reason),
    })
  })

  test('is taken within 60 s of clocks that differ', async () => {
    expect(await verify(await sign({ iat: startSeconds + 60, auth_time: startSeconds + 60 }))).not.toBeNull()
  })

  test('of another project, and what is no JWT, is left to the next verifier', async () => {
    expect(await verify(await sign({ iss: 'https://securetoken.google.com/demo-other' }))).toBeNull()
    expect(await verify('berth_abc')).toBeNull()
    expect(google.fetches()).toBe(0)
  })

  test('with alg none is refused, signed or not', async () => {
    const [, payload = '', signature = ''] = (await sign()).split('.')

    for (const end of ['', signature])
      await expect(verify(`${part({ alg: 'none', kid: 'k1' })}.${payload}.${end}`)).rejects.toMatchObject({
        code: 'unauthenticated',
      })
  })

  test('signed with a published ES256 key is refused', async () => {
    const elliptic = await google.addKey('k2')
    const token = await google.sign(elliptic, claimsOf({}), { alg: 'ES256', kid: 'k2' })

    await expect(verify(token)).rejects.toMatchObject({ message: expect.stringContaining('RS256') })
  })

  test('that names no key is refused', async () => {
    await expect(verify(await sign({}, { kid: '' }))).rejects.toMatchObject({
      message: expect.stringContaining('names no key'),
    })
  })

  test("forged under a real key's id is refused", async () => {
    const stranger = await google.addKey('x', { alg: 'RS256', published: false })

    await expect(verify(await sign({}, { by: stranger }))).rejects.toMatchObject({
      message: expect.stringContaining('signature'),
    })
  })

  test('with unknown key ids does not make the server ask Google each time', async () => {
    const verifier = verifierOf([], 30_000)
    await verifier.verify(await sign(), { signal })

    for (let n = 0; n < 5; n += 1)
      await expect(verifier.verify(await sign({}, { kid: `x${n}` }), { signal })).rejects.toMatchObject({
        message: expect.stringContaining('does not publish'),
      })

    expect(google.fetches()).toBe(1)
  })

  test('of a key that Google has just begun to use is taken after one more fetch', async () => {
    const verifier = verifierOf()
    await verifier.verify(await sign(), { signal })
    const rotated = await google.addKey('k2', { alg: 'RS256' })

    expect(await verifier.verify(await sign({}, { by: rotated, kid: 'k2' }), { signal })).not.toBeNull()
    expect(google.fetches()).toBe(2)
  })

  test('shares one fetch of the keys with all others that wait', async () => {
    const verifier = verifierOf()
    const tokens = await Promise.all(Array.from({ length: 20 }, (_, n) => sign({ sub: `u${n}` })))

    await Promise.all(tokens.map((token) => verifier.verify(token, { signal })))

    expect(google.fetches()).toBe(1)
  })

  test('cannot be checked while Google is down, and can as soon as it is back', async () => {
    google.setDown(true)
    const verifier = verifierOf()
    const token = await sign()
    await expect(verifier.verify(token, { signal })).rejects.toMatchObject({ code: 'identity_unavailable' })
    google.setDown(false)
    clock.shiftMs = 1001

    expect(await verifier.verify(token, { signal })).not.toBeNull()
  })

  test('is still taken during a later outage, since the keys are known', async () => {
    const verifier = verifierOf()
    await verifier.verify(await sign(), { signal })
    google.setDown(true)

    expect(await verifier.verify(await sign({ sub: 'bob' }), { signal })).toMatchObject({ kind: 'user' })
  })

  test('is not checked with keys of ten minutes ago while Google is down', async () => {
    const verifier = verifierOf()
    await verifier.verify(await sign(), { signal })
    google.setDown(true)
    const other = await sign({ sub: 'bob' })
    // The age of the key set is by the process's clock.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 10 * 60_000 + 1 })

    await expect(verifier.verify(other, { signal })).rejects.toMatchObject({ code: 'identity_unavailable' })
  })

  test('is not taken from the cache after its end', async () => {
    const verifier = verifierOf()
    const token = await sign({ exp: startSeconds + 30 })
    await verifier.verify(token, { signal })
    clock.shiftMs = 120_000

    await expect(verifier.verify(token, { signal })).rejects.toMatchObject({ code: 'unauthenticated' })
  })

  test('keeps any uid as it is, unit by unit', async () => {
    const verifier = verifierOf()
    const odd = constantFrom('a/b/../c', '..', 'Alice', 'ALICE', ' ', 'a\nb', '😀'.repeat(64), 'e\u0301', '\u00e9')
    const any = string({ unit: 'binary', minLength: 1, maxLength: 64 }).filter((uid) => !uid.includes('\0'))

    await assert(
      asyncProperty(oneof(odd, any), async (uid) => {
        expect(await verifier.verify(await sign({ sub: uid }), { signal })).toMatchObject({ externalId: { uid } })
      }),
      { numRuns: 20 },
    )
  })
})
