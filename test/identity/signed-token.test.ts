import { generateKeyPairSync, sign as signBytes } from 'node:crypto'
import { assert, asyncProperty, constantFrom, nat, string } from 'fast-check'
import { createLocalJWKSet, type JWK, jwtVerify } from 'jose'
import { describe, expect, test } from 'vitest'
import { assertSigned } from '../../src/identity/signed-token.ts'

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

const makeKey = (modulusLength = 2048) => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength })
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'k1', use: 'sig' } as JWK
  return { privateKey, keys: createLocalJWKSet({ keys: [jwk] }) }
}

const { privateKey, keys } = makeKey()
const signed = (header: object, { by = privateKey, digest = 'RSA-SHA256' } = {}): string => {
  const text = `${part(header)}.${part({ sub: 'alice' })}`
  return `${text}.${signBytes(digest, Buffer.from(text), by).toString('base64url')}`
}
const good = signed({ alg: 'RS256', kid: 'k1' })

const isTaken = (check: Promise<unknown>): Promise<boolean> =>
  check.then(
    () => true,
    () => false,
  )

describe('the signature of a token', () => {
  test('that holds gives the payload that was signed', async () => {
    expect(await assertSigned(good, keys)).toBe(good.split('.')[1])
  })

  test('is judged as jose judges it, whatever character was changed', async () => {
    const changed = asyncProperty(
      nat(good.length - 1),
      constantFrom('A', 'z', '_', '.', '=', '\n'),
      async (at, letter) => {
        const token = good.slice(0, at) + letter + good.slice(at + 1)
        const joses = await isTaken(jwtVerify(token, keys, { algorithms: ['RS256'] }))
        expect({ token, taken: await isTaken(assertSigned(token, keys)) }).toEqual({ token, taken: joses })
      },
    )

    await assert(changed, { numRuns: 500 })
  })

  test('is not taken from what is no token', async () => {
    await assert(
      asyncProperty(string(), async (text) => {
        expect(await isTaken(assertSigned(text, keys))).toBe(false)
      }),
    )
    for (const text of [`${good}.`, `${good}\n`, ` ${good}`, good.replaceAll('.', '..'), ''])
      expect(await isTaken(assertSigned(text, keys))).toBe(false)
  })

  test.each<[string, object, string]>([
    ['another digest', { alg: 'RS512', kid: 'k1' }, 'RSA-SHA512'],
    ['another digest than its header says', { alg: 'RS256', kid: 'k1' }, 'RSA-SHA512'],
    ['none', { alg: 'none', kid: 'k1' }, 'RSA-SHA256'],
    ['an HMAC', { alg: 'HS256', kid: 'k1' }, 'RSA-SHA256'],
    ['no algorithm', { kid: 'k1' }, 'RSA-SHA256'],
    ['an algorithm in another case', { alg: 'rs256', kid: 'k1' }, 'RSA-SHA256'],
    ['an extension that must be understood', { alg: 'RS256', kid: 'k1', crit: ['b64'], b64: true }, 'RSA-SHA256'],
  ])('by %s is refused', async (_name, header, digest) => {
    expect(await isTaken(assertSigned(signed(header, { digest }), keys))).toBe(false)
  })

  test('by a key that is too short is refused, though it holds', async () => {
    const short = makeKey(1024)
    const token = signed({ alg: 'RS256', kid: 'k1' }, { by: short.privateKey })

    await expect(assertSigned(token, short.keys)).rejects.toMatchObject({ code: 'ERR_JWKS_NO_MATCHING_KEY' })
  })

  test("by another key under that key's id is refused", async () => {
    const token = signed({ alg: 'RS256', kid: 'k1' }, { by: makeKey().privateKey })

    await expect(assertSigned(token, keys)).rejects.toMatchObject({ code: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED' })
  })
})
