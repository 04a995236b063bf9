import { errors, type JWTPayload, jwtVerify } from 'jose'
import { z } from 'zod'
import { BerthError, isBerthError } from '../domain/errors.ts'
import type { Clock } from '../domain/ports/clock.ts'
import { bearerOf, type HookDoor } from './hook-door.ts'
import { createIssuerKeys } from './issuer-keys.ts'
import { httpsUrl } from './oidc-issuer.ts'

/** Google writes either. @see https://developers.google.com/identity/openid-connect/openid-connect checked 2026-11-22 */
const ISSUERS = ['https://accounts.google.com', 'accounts.google.com']
const CERTS = 'https://www.googleapis.com/oauth2/v3/certs'
const CLOCK_TOLERANCE_SECONDS = 60
const MAX_AGE_SECONDS = 3600

export const googleHookSchema = z
  .strictObject({
    /** The public URL of the hook, which the sender asks its token for. */
    audience: httpsUrl,
    /** Without them any service account in the world would pass. */
    emails: z.array(z.email()).min(1).max(16),
    jwksUri: httpsUrl.default(CERTS),
  })
  .readonly()
export type GoogleHook = z.infer<typeof googleHookSchema>

export interface GoogleDoorOptions {
  readonly google: GoogleHook
  readonly clock: Clock
  /** @default globalThis.fetch */
  readonly fetch?: typeof globalThis.fetch
  readonly jwksCooldownMs?: number
}

/** Google ID tokens of the service accounts that the hook's functions run as. They prove the sender, not the body. */
export const createGoogleDoor = (options: GoogleDoorOptions): HookDoor => {
  const { google, clock, fetch = globalThis.fetch, jwksCooldownMs } = options
  const keys = createIssuerKeys({
    issuer: { project: 'google', issuer: 'https://accounts.google.com', ...google },
    clock,
    fetch,
    ...(jwksCooldownMs !== undefined && { cooldownMs: jwksCooldownMs }),
  })
  const emails = new Set(google.emails)

  return {
    async verify({ header, now }) {
      const token = bearerOf(header)
      if (token === null) throw refused('the header Authorization is not "Bearer" and a Google ID token')
      const eventId = header('webhook-id') ?? ''
      if (!/^[\x21-\x7e]{1,255}$/.test(eventId)) throw refused('webhook-id has 1 to 255 visible ASCII characters')
      const payload = await verifyToken(token, keys, now)
      // jose takes a list that has the audience in it; a token for this hook is for nothing else.
      if (payload.aud !== google.audience) throw refused("the token's audience is not this hook's URL")
      if (payload['email_verified'] !== true) throw refused('the token does not vouch for its e-mail address')
      if (typeof payload['email'] !== 'string' || !emails.has(payload['email']))
        throw refused("the token's service account is not one that BERTH_HOOK_GOOGLE names")
      return { eventId }
    },
  }
}

const verifyToken = async (
  token: string,
  keys: ReturnType<typeof createIssuerKeys>,
  now: Date,
): Promise<JWTPayload> => {
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer: ISSUERS,
      algorithms: ['RS256'],
      requiredClaims: ['aud', 'exp', 'iat'],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      maxTokenAge: MAX_AGE_SECONDS,
      currentDate: now,
    })
    return payload
  } catch (error) {
    if (isBerthError(error)) throw error
    throw refused(reasonOf(error), error)
  }
}

/** jose's own messages may quote claims; these do not. */
const reasonOf = (error: unknown): string => {
  if (error instanceof errors.JWTExpired) return 'the token has expired'
  if (error instanceof errors.JWTClaimValidationFailed) return `the token's claim "${error.claim}" does not hold`
  if (error instanceof errors.JOSEAlgNotAllowed) return "the token's algorithm is not RS256"
  if (error instanceof errors.JWKSNoMatchingKey) return 'the token is signed by a key that Google does not publish'
  if (error instanceof errors.JWSSignatureVerificationFailed) return "the token's signature does not hold"
  return 'the token is malformed'
}

const refused = (detail: string, cause?: unknown): BerthError =>
  new BerthError('unauthenticated', `The hook was refused: ${detail}.`, { cause })
