import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from 'jose'
import { z } from 'zod'
import { BerthError, isBerthError } from '../domain/errors.ts'
import type { Clock } from '../domain/ports/clock.ts'
import type { OidcIssuer } from './oidc-issuer.ts'

export interface IssuerKeysOptions {
  readonly issuer: OidcIssuer
  readonly clock: Clock
  readonly fetch: typeof globalThis.fetch
  /** Least time between two fetches for a key id that is not known. @default 30000 */
  readonly cooldownMs?: number
}

const FETCH_TIMEOUT_MS = 5000
/** While an issuer is down, one request in this time asks again; the rest fail at once. */
const OUTAGE_PAUSE_MS = 1000

const discoverySchema = z.object({ issuer: z.string(), jwks_uri: z.url() })
/** An empty one would replace the keys that are known, and every user would be told that their token is bad. */
const keySetSchema = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).min(1) })

type Ask = (url: string, init: RequestInit) => Promise<Response>

/** Keys of one issuer: fetched once for all who wait, cached, and refetched with a cooldown when a key id is new. */
export const createIssuerKeys = ({ issuer, clock, fetch, cooldownMs = 30_000 }: IssuerKeysOptions): JWTVerifyGetKey => {
  let failedAt = Number.NEGATIVE_INFINITY
  let keys: Promise<JWTVerifyGetKey> | null = null

  /** An answer that is none, such as the page of a proxy, is an outage like any other. */
  const asking =
    (schema: z.ZodType): Ask =>
    async (url, init) => {
      if (clock.monotonicMs() - failedAt < OUTAGE_PAUSE_MS) throw unavailable(issuer)
      try {
        const response = await fetch(url, init)
        if (response.status !== 200) throw new Error(`status ${response.status}`)
        const body: unknown = await response.json()
        schema.parse(body)
        return Response.json(body)
      } catch (cause) {
        failedAt = clock.monotonicMs()
        throw unavailable(issuer, cause)
      }
    }

  const open = async (): Promise<JWTVerifyGetKey> => {
    const url = issuer.jwksUri ?? (await discover(issuer, asking))
    return createRemoteJWKSet(new URL(url), {
      cooldownDuration: cooldownMs,
      timeoutDuration: FETCH_TIMEOUT_MS,
      [customFetch]: asking(keySetSchema),
    })
  }

  const opened = (): Promise<JWTVerifyGetKey> => {
    keys ??= open().catch((error: unknown) => {
      keys = null
      throw error
    })
    return keys
  }

  return async (header, token) => {
    const getKey = await opened()
    try {
      return await getKey(header, token)
    } catch (error) {
      throw isOutage(error) ? unavailable(issuer, error) : error
    }
  }
}

const discover = async ({ issuer }: OidcIssuer, asking: (schema: z.ZodType) => Ask): Promise<string> => {
  const own = discoverySchema.refine((found) => found.issuer === issuer, 'the document names another issuer')
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  const response = await asking(own)(url, { redirect: 'manual', signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) })
  return own.parse(await response.json()).jwks_uri
}

/** What jose finds wrong is the token; a key that cannot be imported is the issuer's fault, and no error of jose's. */
const isOutage = (error: unknown): boolean => !isBerthError(error) && !(error instanceof errors.JOSEError)

const unavailable = (issuer: OidcIssuer, cause?: unknown): BerthError =>
  new BerthError('identity_unavailable', `The keys of the issuer ${issuer.issuer} cannot be read now.`, {
    cause,
    retryAfterSeconds: 2,
  })
