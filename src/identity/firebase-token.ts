import {
  decodeJwt,
  errors,
  type JWTClaimVerificationOptions,
  type JWTPayload,
  type JWTVerifyGetKey,
  UnsecuredJWT,
} from 'jose'
import { BerthError, isBerthError } from '../domain/errors.ts'
import { assertSigned } from './signed-token.ts'

const CLOCK_TOLERANCE_SECONDS = 60

export const refused = (detail: string, cause?: unknown): BerthError =>
  new BerthError('unauthenticated', `The Firebase ID token was refused: ${detail}.`, { cause })

/** Nobody has vouched for it yet: it only tells who is to judge the token. */
export const claimedIssuer = (credential: string): unknown => {
  try {
    return decodeJwt(credential).iss
  } catch {
    return null
  }
}

export interface ExpectedToken {
  readonly issuer: string
  readonly project: string
  /** Null for the emulator, which signs nothing. */
  readonly keys: JWTVerifyGetKey | null
  readonly now: Date
}

/** @throws {BerthError} unauthenticated, identity_unavailable */
export const verifyFirebaseToken = async (token: string, expected: ExpectedToken): Promise<JWTPayload> => {
  const { project, now } = expected
  try {
    const payload = await payloadOf(token, expected)
    // jose takes a list that has the audience in it; Firebase writes one.
    if (payload.aud !== project) throw refused('the claim "aud" does not hold')
    for (const claim of ['iat', 'auth_time']) assertPast(payload, claim, now)
    return payload
  } catch (error) {
    if (isBerthError(error)) throw error
    throw refused(reasonOf(error), error)
  }
}

const payloadOf = async (token: string, { issuer, project, keys, now }: ExpectedToken): Promise<JWTPayload> => {
  const claims: JWTClaimVerificationOptions = {
    issuer,
    audience: project,
    requiredClaims: ['aud', 'exp', 'iat', 'sub', 'auth_time'],
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
    currentDate: now,
  }
  if (keys === null) return UnsecuredJWT.decode(token, claims).payload
  const payload = await assertSigned(token, withKeyId(keys))
  // The claims are jose's to judge; from here on the signature has no more to say.
  return UnsecuredJWT.decode(`${UNSIGNED}.${payload}.`, claims).payload
}

const UNSIGNED = Buffer.from('{"alg":"none"}').toString('base64url')

/** A token without a key id would be tried with whatever key there is. */
const withKeyId =
  (keys: JWTVerifyGetKey): JWTVerifyGetKey =>
  (header, token) => {
    if (typeof header.kid !== 'string' || header.kid === '') throw refused('it names no key')
    return keys(header, token)
  }

const assertPast = (payload: JWTPayload, claim: string, now: Date): void => {
  const at = payload[claim]
  if (typeof at !== 'number' || !Number.isFinite(at)) throw refused(`the claim "${claim}" is not a time`)
  if (at > now.getTime() / 1000 + CLOCK_TOLERANCE_SECONDS) throw refused(`the claim "${claim}" is in the future`)
}

/** jose's own messages may quote claims; these do not. */
const reasonOf = (error: unknown): string => {
  if (error instanceof errors.JWTExpired) return 'it has expired'
  if (error instanceof errors.JWTClaimValidationFailed) return `the claim "${error.claim}" does not hold`
  if (error instanceof errors.JOSEAlgNotAllowed) return 'its algorithm is not RS256'
  if (error instanceof errors.JWKSNoMatchingKey) return 'it is signed by a key that Google does not publish'
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'its signature does not hold'
  return 'it is malformed'
}
