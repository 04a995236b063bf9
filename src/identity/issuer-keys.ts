import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from 'jose'
import { z } from 'zod'
import { BerthError } from '../domain/errors.ts'
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

/** Keys of one issuer: fetched once for all who wait, cached, and refetched with a cooldown when a key id is new. */
export const createIssuerKeys = ({ issuer, clock, fetch, cooldownMs = 30_000 }: IssuerKeysOptions): JWTVerifyGetKey => {
  let failedAt = Number.NEGATIVE_INFINITY
  let keys: Promise<JWTVerifyGetKey> | null = null

  const guardedFetch = async (url: string, init: RequestInit): Promise<Response> => {
    if (clock.monotonicMs() - failedAt < OUTAGE_PAUSE_MS) throw unavailable(issuer)
    try {
      const response = await fetch(url, init)
      if (response.status !== 200) throw new Error(`status ${response.status}`)
      return response
    } catch (cause) {
      failedAt = clock.monotonicMs()
      throw unavailable(issuer, cause)
    }
  }

  const open = async (): Promise<JWTVerifyGetKey> => {
    const url = issuer.jwksUri ?? (await discover(issuer, guardedFetch))
    return createRemoteJWKSet(new URL(url), {
      cooldownDuration: cooldownMs,
      timeoutDuration: FETCH_TIMEOUT_MS,
      [customFetch]: guardedFetch,
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

const discover = async (
  issuer: OidcIssuer,
  fetch: (url: string, init: RequestInit) => Promise<Response>,
): Promise<string> => {
  const url = `${issuer.issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  const response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) })
  const parsed = discoverySchema.safeParse(await response.json().catch(() => null))
  if (!parsed.success || parsed.data.issuer !== issuer.issuer)
    throw unavailable(issuer, parsed.error ?? new Error('the discovery document names another issuer'))
  return parsed.data.jwks_uri
}

/** A key set that cannot be read is the issuer's fault; a key id that is not in it is the token's. */
const isOutage = (error: unknown): boolean =>
  error instanceof errors.JWKSTimeout ||
  error instanceof errors.JWKSInvalid ||
  (error instanceof errors.JOSEError && error.code === 'ERR_JOSE_GENERIC')

const unavailable = (issuer: OidcIssuer, cause?: unknown): BerthError =>
  new BerthError('identity_unavailable', `The keys of the issuer ${issuer.issuer} cannot be read now.`, {
    cause,
    retryAfterSeconds: 2,
  })
