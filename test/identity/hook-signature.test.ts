import { randomBytes } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { describe, expect, test } from 'vitest'
import { createHookSignature, parseHookSecret } from '../../src/identity/hook-signature.ts'

const secretText = (): string => `whsec_${randomBytes(32).toString('base64')}`
const bytesOf = (secret: string): Buffer => parseHookSecret(secret) ?? Buffer.alloc(0)
const now = new Date('2026-11-22T12:00:00Z')
const body = '{"type":"user.created"}'

/** Signed by the reference implementation, not by our own code. */
const signed = (secret: string, at = now, id = 'msg_1'): Record<string, string> => ({
  'webhook-id': id,
  'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
  'webhook-signature': new Webhook(secret).sign(id, at, body),
})

const verify = (secrets: readonly string[], headers: Record<string, string>, text = body) =>
  createHookSignature({ secrets: secrets.map(bytesOf) }).verify({
    body: Buffer.from(text),
    header: (name) => headers[name],
    now,
  })

describe('the signature of a hook', () => {
  const secret = secretText()

  test('holds when the reference implementation made it', () => {
    expect(verify([secret], signed(secret))).toEqual({ eventId: 'msg_1' })
  })

  test('holds under its old header names', () => {
    const old = Object.fromEntries(
      Object.entries(signed(secret)).map(([name, value]) => [name.replace('webhook', 'svix'), value]),
    )

    expect(verify([secret], old)).toEqual({ eventId: 'msg_1' })
  })

  test('costs one use of each secret, however many signatures a stranger sends', () => {
    let uses = 0
    const counted = new Proxy([bytesOf(secret)], {
      get: (list, key) => {
        if (key === '0') uses += 1
        return Reflect.get(list, key)
      },
    })
    const headers: Record<string, string> = {
      ...signed(secret),
      'webhook-signature': Array.from({ length: 16 }, () => `v1,${randomBytes(32).toString('base64')}`).join(' '),
    }
    const verifying = () =>
      createHookSignature({ secrets: counted }).verify({
        body: Buffer.from(body),
        header: (name) => headers[name],
        now,
      })

    expect(verifying).toThrow(/fits none/)
    expect(uses).toBe(1)
  })

  test('holds for each of several secrets, so that one can replace another', () => {
    const other = secretText()

    expect(verify([other, secret], signed(secret)).eventId).toBe('msg_1')
    expect(verify([other, secret], signed(other)).eventId).toBe('msg_1')
  })

  test('holds when one of several signatures fits', () => {
    const headers = signed(secret)
    const both = `v1,${Buffer.alloc(32).toString('base64')} v2,xx ${headers['webhook-signature']}`

    expect(verify([secret], { ...headers, 'webhook-signature': both }).eventId).toBe('msg_1')
  })

  test('does not hold for a secret that was taken out', () => {
    expect(() => verify([secretText()], signed(secret))).toThrow('fits none')
  })

  test.each([
    ['another body', signed(secret), '{"type":"user.deleted"}'],
    ['another id', { ...signed(secret), 'webhook-id': 'msg_2' }, body],
    ['another time', { ...signed(secret), 'webhook-timestamp': String(now.getTime() / 1000 + 1) }, body],
    ['an empty signature', { ...signed(secret), 'webhook-signature': 'v1,' }, body],
    [
      'a cut signature',
      { ...signed(secret), 'webhook-signature': (signed(secret)['webhook-signature'] ?? '').slice(0, 20) },
      body,
    ],
  ])('does not hold for %s', (_name, headers, text) => {
    expect(() => verify([secret], headers, text)).toThrow('fits none')
  })

  test.each([-300, 300])('holds %i seconds off', (seconds) => {
    expect(verify([secret], signed(secret, new Date(now.getTime() + seconds * 1000))).eventId).toBe('msg_1')
  })

  test.each([-301, 301])('does not hold %i seconds off', (seconds) => {
    expect(() => verify([secret], signed(secret, new Date(now.getTime() + seconds * 1000)))).toThrow('clock')
  })

  test.each(['webhook-id', 'webhook-timestamp', 'webhook-signature'])('needs the header %s', (name) => {
    expect(() => verify([secret], { ...signed(secret), [name]: '' })).toThrow(`${name} is missing`)
  })

  test.each(['1e9', '-1', '0x10', 'NaN', '1.5'])('refuses %j as a time', (time) => {
    expect(() => verify([secret], { ...signed(secret), 'webhook-timestamp': time })).toThrow('whole seconds')
  })

  test('refuses an id that could not be stored or logged', () => {
    expect(() => verify([secret], { ...signed(secret), 'webhook-id': 'a\u0001b' })).toThrow('visible ASCII')
  })
})

describe('a hook secret', () => {
  test.each([
    '',
    'whsec_',
    'secret',
    'whsec_!!!!',
    `whsec_${Buffer.alloc(23).toString('base64')}`,
    `whsec_${Buffer.alloc(65).toString('base64')}`,
  ])('is refused: %j', (text) => {
    expect(parseHookSecret(text)).toBeNull()
  })

  test.each([24, 32, 64])('may have %i bytes', (bytes) => {
    expect(parseHookSecret(`whsec_${Buffer.alloc(bytes).toString('base64')}`)).toHaveLength(bytes)
  })
})
