import { KeyObject, verify } from 'node:crypto'
import { type CryptoKey as RsaKey, decodeProtectedHeader, errors, type JWTVerifyGetKey } from 'jose'

/** As jose asks of an RSA key. */
const LEAST_MODULUS_BITS = 2048

/**
 * The middle part of a token whose RS256 signature holds. Here and not by jose's `jwtVerify`, which hands the check to another thread and waits: that
 * wait is longer than the check. Which key it is stays jose's to say.
 * @throws {errors.JOSEError} as `jwtVerify` does
 */
export const assertSigned = async (token: string, keys: JWTVerifyGetKey): Promise<string> => {
  const [, head, payload, signature] = /^([\w-]+)\.([\w-]+)\.([\w-]*)$/.exec(token) ?? []
  if (head === undefined || payload === undefined || signature === undefined) throw new errors.JWSInvalid()
  const header = decodeProtectedHeader(token)
  if (header.alg !== 'RS256') throw new errors.JOSEAlgNotAllowed()
  // Extensions that one must understand: there is none that Google uses, and each could change what is signed.
  if (header.crit !== undefined) throw new errors.JWSInvalid()
  const key = rsaKeyOf(await keys({ ...header, alg: 'RS256' }, { protected: head, payload, signature }))
  const signed = Buffer.from(`${head}.${payload}`)
  if (!verify('RSA-SHA256', signed, key, Buffer.from(signature, 'base64url')))
    throw new errors.JWSSignatureVerificationFailed()
  return payload
}

/** jose gives the same object for the same key until it fetches the keys again. */
const known = new WeakMap<RsaKey, KeyObject>()

const rsaKeyOf = (found: Awaited<ReturnType<JWTVerifyGetKey>>): KeyObject => {
  if (!(found instanceof CryptoKey)) throw new errors.JWKSNoMatchingKey()
  const before = known.get(found)
  if (before !== undefined) return before
  const key = KeyObject.from(found)
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
  if (key.type !== 'public' || key.asymmetricKeyType !== 'rsa' || bits < LEAST_MODULUS_BITS)
    throw new errors.JWKSNoMatchingKey()
  known.set(found, key)
  return key
}
