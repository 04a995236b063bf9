import { createHmac } from 'node:crypto'
import type { CryptoKey } from 'jose'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createGoogleDoor, googleHookSchema } from '../../src/identity/google-door.ts'
import { createSystemClock } from '../../src/main/system-clock.ts'
import { startIssuer, type TestIssuer } from '../support/issuer.ts'

const AUDIENCE = 'https://berth.example/v1/hooks/identity'
const EMAIL = 'hook@demo.iam.gserviceaccount.com'
const seconds = (): number => Math.floor(Date.now() / 1000)
/** An undefined claim is left out of the token. */
type Claims = Record<string, unknown>
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

const claims = (more: Claims = {}): Claims => ({
  iss: 'https://accounts.google.com',
  aud: AUDIENCE,
  email: EMAIL,
  email_verified: true,
  ...more,
})

describe('a Google ID token at the hook', () => {
  let keys: TestIssuer
  let key: CryptoKey
  beforeEach(async () => {
    keys = await startIssuer()
    key = await keys.addKey('g1', { alg: 'RS256' })
  })
  afterEach(() => keys[Symbol.asyncDispose]())

  const doorOf = () =>
    createGoogleDoor({
      google: { audience: AUDIENCE, emails: [EMAIL], jwksUri: keys.jwksUri },
      clock: createSystemClock(),
      jwksCooldownMs: 0,
    })
  const sign = (more: Claims = {}, header: { alg?: string; kid?: string } = {}, by = key) =>
    keys.sign(by, claims(more), { alg: 'RS256', kid: 'g1', ...header })
  const knock = (token: string, headers: Record<string, string> = {}, door = doorOf()) => {
    const sent: Record<string, string> = { authorization: `Bearer ${token}`, 'webhook-id': 'evt_1', ...headers }
    return door.verify({ body: Buffer.from('{}'), header: (name) => sent[name], now: new Date() })
  }

  test.each(['https://accounts.google.com', 'accounts.google.com'])('of the issuer %s opens it', async (iss) => {
    expect(await knock(await sign({ iss }))).toEqual({ eventId: 'evt_1' })
  })

  test.each<[string, () => Claims]>([
    ['another issuer', () => ({ iss: 'https://accounts.google.com.evil.example' })],
    ['another audience', () => ({ aud: 'https://berth.example/v1/hooks' })],
    ['the audience with a slash more', () => ({ aud: `${AUDIENCE}/` })],
    ['a list with the audience in it', () => ({ aud: [AUDIENCE, 'https://else.example'] })],
    ['no audience', () => ({ aud: undefined })],
    ['another service account', () => ({ email: 'x@demo.iam.gserviceaccount.com' })],
    ['a case twin of the service account', () => ({ email: EMAIL.toUpperCase() })],
    ['no e-mail address', () => ({ email: undefined })],
    ['an address that is not verified', () => ({ email_verified: false })],
    ['an address that is "true" in a string', () => ({ email_verified: 'true' })],
    ['nothing said of the address', () => ({ email_verified: undefined })],
    ['a time that is over', () => ({ iat: seconds() - 3700, exp: seconds() - 100 })],
    ['no end', () => ({ exp: undefined })],
    ['no time of issue', () => ({ iat: undefined })],
    ['a time of issue ahead', () => ({ iat: seconds() + 600, exp: seconds() + 1200 })],
    ['a time of issue long ago and a late end', () => ({ iat: seconds() - 7200, exp: seconds() + 600 })],
  ])('with %s is refused', async (_name, more) => {
    await expect(knock(await sign(more()))).rejects.toMatchObject({ code: 'unauthenticated' })
  })

  test('signed by a key that is not published is refused', async () => {
    const stranger = await keys.addKey('s1', { alg: 'RS256', published: false })

    await expect(knock(await sign({}, { kid: 's1' }, stranger))).rejects.toMatchObject({ code: 'unauthenticated' })
    await expect(knock(await sign({}, {}, stranger))).rejects.toMatchObject({ code: 'unauthenticated' })
  })

  test.each([
    ['none', (): string => ''],
    ['HS256', (text: string): string => createHmac('sha256', 'public').update(text).digest('base64url')],
  ])('with alg %s is refused', async (alg, signature) => {
    const text = `${part({ alg, kid: 'g1' })}.${part({ ...claims(), iat: seconds(), exp: seconds() + 600 })}`

    await expect(knock(`${text}.${signature(text)}`)).rejects.toMatchObject({ code: 'unauthenticated' })
  })

  test('signed with ES256 is refused even when the key is published', async () => {
    const ec = await keys.addKey('e1')

    await expect(knock(await sign({}, { alg: 'ES256', kid: 'e1' }, ec))).rejects.toMatchObject({
      code: 'unauthenticated',
    })
  })

  test('without the id of an event is refused, as without it a repetition could not be told', async () => {
    await expect(knock(await sign(), { 'webhook-id': '' })).rejects.toThrow('webhook-id')
  })

  test('is not asked for its keys more than once by many who wait', async () => {
    const door = doorOf()
    const token = await sign()

    await Promise.all(Array.from({ length: 20 }, () => knock(token, {}, door)))

    expect(keys.fetches()).toBe(1)
  })

  test('cannot be judged while the keys cannot be read, which is no fault of the sender', async () => {
    keys.setDown(true)

    await expect(knock(await sign())).rejects.toMatchObject({ code: 'identity_unavailable', retryAfterSeconds: 2 })
  })

  test('signed by a key that came later is taken', async () => {
    const door = doorOf()
    await knock(await sign(), {}, door)
    const next = await keys.addKey('g2', { alg: 'RS256' })

    expect(await knock(await sign({}, { kid: 'g2' }, next), {}, door)).toEqual({ eventId: 'evt_1' })
  })
})

test('a Google door without addresses, which any service account would pass, is not configured', () => {
  expect(googleHookSchema.safeParse({ audience: AUDIENCE, emails: [] }).success).toBe(false)
})
