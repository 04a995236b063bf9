import { decodeJwt, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose'
import { LRUCache } from 'lru-cache'
import { BerthError, isBerthError } from '../domain/errors.ts'
import type { Clock } from '../domain/ports/clock.ts'
import type { Caller, IdentityVerifier } from '../domain/ports/identity-verifier.ts'
import { externalIdSchema } from '../domain/tenant.ts'
import { createIssuerKeys } from './issuer-keys.ts'
import { hashCredential } from './key-secret.ts'
import type { OidcIssuer } from './oidc-issuer.ts'

export interface OidcVerifierOptions {
  readonly issuers: readonly OidcIssuer[]
  readonly clock: Clock
  /** @default globalThis.fetch */
  readonly fetch?: typeof globalThis.fetch
  readonly jwksCooldownMs?: number
}

/** Asymmetric only: an HMAC "signed" with the public key, and `none`, are refused before any key is looked up. */
const ALGORITHMS = ['RS256', 'ES256']
const CLOCK_TOLERANCE_SECONDS = 60
const MAX_CACHED_TOKENS = 10_000
/** A token is trusted from the cache for at most this long, so that a withdrawn issuer key stops working. */
const MAX_CACHE_MS = 5 * 60_000

interface TrustedIssuer extends OidcIssuer {
  readonly keys: JWTVerifyGetKey
}

/** Checks bearer JWTs of end users. A token that was checked is remembered by its hash until it expires. */
export const createOidcVerifier = (options: OidcVerifierOptions): IdentityVerifier => {
  const { clock, fetch = globalThis.fetch, jwksCooldownMs } = options
  const trusted: readonly TrustedIssuer[] = options.issuers.map((issuer) => ({
    ...issuer,
    keys: createIssuerKeys({
      issuer,
      clock,
      fetch,
      ...(jwksCooldownMs !== undefined && { cooldownMs: jwksCooldownMs }),
    }),
  }))
  const cache = new LRUCache<string, { readonly caller: Caller; readonly until: number }>({ max: MAX_CACHED_TOKENS })

  return {
    async verify(credential) {
      const now = clock.now()
      const hash = hashCredential(credential)
      const known = cache.get(hash)
      if (known !== undefined && now.getTime() < known.until) return known.caller
      if (!/^[\w-]+\.[\w-]+\.[\w-]*$/.test(credential)) return null
      const issuer = issuerOf(trusted, credential)
      const payload = await verifyToken(credential, issuer, now)
      const caller = callerOf(payload, issuer)
      const expiresAt = (payload.exp ?? 0) * 1000
      cache.set(hash, { caller, until: Math.min(expiresAt, now.getTime() + MAX_CACHE_MS) })
      return caller
    },
  }
}

const refused = (detail: string, cause?: unknown): BerthError =>
  new BerthError('unauthenticated', `The token was refused: ${detail}.`, { cause })

/** Which issuer to check against, from claims that nobody has vouched for yet; the check itself repeats both. */
const issuerOf = (trusted: readonly TrustedIssuer[], token: string): TrustedIssuer => {
  const claims = decode(token)
  const audiences = new Set([claims.aud].flat())
  const ofIssuer = trusted.filter(({ issuer }) => issuer === claims.iss)
  if (ofIssuer.length === 0) throw refused('its issuer is not one that this server trusts')
  const found = ofIssuer.find(({ audience }) => audiences.has(audience))
  if (found === undefined) throw refused('its audience is not this server')
  return found
}

const decode = (token: string): JWTPayload => {
  try {
    return decodeJwt(token)
  } catch (cause) {
    throw refused('it is not a JWT', cause)
  }
}

const verifyToken = async (token: string, issuer: TrustedIssuer, now: Date): Promise<JWTPayload> => {
  try {
    const { payload } = await jwtVerify(token, issuer.keys, {
      issuer: issuer.issuer,
      audience: issuer.audience,
      algorithms: ALGORITHMS,
      requiredClaims: ['exp', 'sub'],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      currentDate: now,
    })
    if (payload.iat !== undefined && payload.iat > now.getTime() / 1000 + CLOCK_TOLERANCE_SECONDS)
      throw refused('it was issued in the future')
    return payload
  } catch (error) {
    if (isBerthError(error)) throw error
    throw refused(reasonOf(error), error)
  }
}

/** jose's own messages may quote claims; these do not. */
const reasonOf = (error: unknown): string => {
  if (error instanceof errors.JWTExpired) return 'it has expired'
  if (error instanceof errors.JWTClaimValidationFailed) return `the claim "${error.claim}" does not hold`
  if (error instanceof errors.JOSEAlgNotAllowed) return `its algorithm is not one of ${ALGORITHMS.join(', ')}`
  if (error instanceof errors.JWKSNoMatchingKey) return 'it is signed by a key that its issuer does not publish'
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'its signature does not hold'
  return 'it is malformed'
}

const callerOf = (payload: JWTPayload, issuer: TrustedIssuer): Caller => {
  const identityTenant = issuer.tenantClaim === undefined ? '' : claimAt(payload, issuer.tenantClaim)
  const parsed = externalIdSchema.safeParse({ project: issuer.project, identityTenant, uid: payload.sub })
  if (!parsed.success) throw refused('its subject or tenant is not a usable id')
  const verified = payload['email_verified'] === true
  return { kind: 'user', externalId: parsed.data, ...(verified && { emailVerified: true }) }
}

const claimAt = (payload: JWTPayload, path: string): unknown => {
  let value: unknown = payload
  for (const part of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return ''
    value = (value as Record<string, unknown>)[part]
  }
  return value
}
