import { decodeJwt, errors, type JWTPayload, jwtVerify, type JWTVerifyGetKey } from 'jose'
import { LRUCache } from 'lru-cache'
import { BerthError, isBerthError } from '../domain/errors.ts'
import type { Clock } from '../domain/ports/clock.ts'
import type { Caller, IdentityVerifier } from '../domain/ports/identity-verifier.ts'
import { externalIdSchema } from '../domain/tenant.ts'
import type { FirebaseProject } from './firebase-project.ts'
import { createIssuerKeys } from './issuer-keys.ts'
import { hashCredential } from './key-secret.ts'

export interface FirebaseVerifierOptions {
  readonly firebase: FirebaseProject
  readonly clock: Clock
  /** @default globalThis.fetch */
  readonly fetch?: typeof globalThis.fetch
  readonly jwksCooldownMs?: number
}

const CLOCK_TOLERANCE_SECONDS = 60
const MAX_CACHED_TOKENS = 10_000
/** A token is trusted from the cache for at most this long, so that a key that Google withdrew stops working. */
const MAX_CACHE_MS = 5 * 60_000

/** Firebase ID tokens of one project. A token of any other issuer is left to the next verifier. */
export const createFirebaseVerifier = (options: FirebaseVerifierOptions): IdentityVerifier => {
  const { firebase, clock, fetch = globalThis.fetch, jwksCooldownMs } = options
  const { project, tenants, jwksUri } = firebase
  const issuer = `https://securetoken.google.com/${project}`
  const allowed = new Set(tenants)
  const keys = createIssuerKeys({
    issuer: { project, issuer, audience: project, jwksUri },
    clock,
    fetch,
    ...(jwksCooldownMs !== undefined && { cooldownMs: jwksCooldownMs }),
  })
  const cache = new LRUCache<string, { readonly caller: Caller; readonly until: number }>({ max: MAX_CACHED_TOKENS })

  return {
    async verify(credential) {
      const now = clock.now()
      const hash = hashCredential(credential)
      const known = cache.get(hash)
      if (known !== undefined && now.getTime() < known.until) return known.caller
      if (claimedIssuer(credential) !== issuer) return null
      const payload = await verifyToken(credential, { issuer, project, keys, now })
      const identityTenant = tenantOf(payload)
      // The signature holds for every tenant of the project: they share issuer, audience and keys.
      if (identityTenant !== '' && !allowed.has(identityTenant))
        throw refused('its Identity Platform tenant is not one that BERTH_FIREBASE names')
      const caller = callerOf(payload, project, identityTenant)
      cache.set(hash, { caller, until: Math.min((payload.exp ?? 0) * 1000, now.getTime() + MAX_CACHE_MS) })
      return caller
    },
  }
}

const refused = (detail: string, cause?: unknown): BerthError =>
  new BerthError('unauthenticated', `The Firebase ID token was refused: ${detail}.`, { cause })

/** Nobody has vouched for it yet: it only tells who is to judge the token. */
const claimedIssuer = (credential: string): unknown => {
  try {
    return decodeJwt(credential).iss
  } catch {
    return null
  }
}

interface Expected {
  readonly issuer: string
  readonly project: string
  readonly keys: JWTVerifyGetKey
  readonly now: Date
}

const verifyToken = async (token: string, { issuer, project, keys, now }: Expected): Promise<JWTPayload> => {
  try {
    const { payload } = await jwtVerify(token, withKeyId(keys), {
      issuer,
      audience: project,
      algorithms: ['RS256'],
      requiredClaims: ['aud', 'exp', 'iat', 'sub', 'auth_time'],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      currentDate: now,
    })
    // jose takes a list that has the audience in it; Firebase writes one.
    if (payload.aud !== project) throw refused('the claim "aud" does not hold')
    for (const claim of ['iat', 'auth_time']) assertPast(payload, claim, now)
    return payload
  } catch (error) {
    if (isBerthError(error)) throw error
    throw refused(reasonOf(error), error)
  }
}

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

/** Empty for a user of the project itself, as the sign-up hook has it. */
const tenantOf = (payload: JWTPayload): string => {
  const firebase = payload['firebase']
  if (typeof firebase !== 'object' || firebase === null || !('tenant' in firebase)) return ''
  const { tenant } = firebase
  if (typeof tenant !== 'string' || tenant === '') throw refused('its tenant is not a usable id')
  return tenant
}

const callerOf = (payload: JWTPayload, project: string, identityTenant: string): Caller => {
  const parsed = externalIdSchema.safeParse({ project, identityTenant, uid: payload.sub })
  if (!parsed.success) throw refused('its subject is not a usable id')
  const verified = payload['email_verified'] === true
  return { kind: 'user', externalId: parsed.data, ...(verified && { emailVerified: true }) }
}
