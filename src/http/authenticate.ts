import { hash } from 'node:crypto'
import type { Request } from 'express'
import { BerthError, isBerthError } from '../domain/errors.ts'
import type { Caller, VerifyOptions } from '../domain/ports/identity-verifier.ts'
import { externalIdSchema, type ExternalId } from '../domain/tenant.ts'
import type { HttpDeps } from './http-deps.ts'
import type { SourceLimiter } from './source-limiter.ts'
import { sourceOf } from './source-limiter.ts'

export interface Identified {
  readonly caller: Caller
  /** Whom the call is for; null for operators and for a service that names nobody. */
  readonly who: ExternalId | null
}

const MAX_KNOWN = 10_000

/** Nobody guesses a signature, and to check one reads no store. A user's token is new each hour. */
const isSigned = (credential: string): boolean => /^[\w-]+\.[\w-]+\.[\w-]+$/.test(credential)

/**
 * Who is calling. A source that has sent too many bad credentials is refused unread, except with a signed token or a credential
 * that was good before, so that a stranger behind the same address cannot lock others out.
 */
export const createAuthenticator = (identity: HttpDeps['identity'], strangers: SourceLimiter) => {
  const knownGood = new Set<string>()
  const remember = (fingerprint: string): void => {
    if (knownGood.has(fingerprint)) return
    knownGood.add(fingerprint)
    const [oldest] = knownGood
    if (knownGood.size > MAX_KNOWN && oldest !== undefined) knownGood.delete(oldest)
  }

  return async (request: Request, options: VerifyOptions): Promise<Identified> => {
    const source = sourceOf(request.ip)
    const waitSeconds = strangers.waitSeconds(source)
    try {
      const credential = bearerOf(request)
      const fingerprint = hash('sha256', credential, 'base64')
      if (waitSeconds > 0 && !isSigned(credential) && !knownGood.has(fingerprint)) throw tooManyFailures(waitSeconds)
      const caller = await identity.verify(credential, options)
      remember(fingerprint)
      return { caller, who: whoOf(caller, request) }
    } catch (error) {
      if (!isBerthError(error) || error.code !== 'unauthenticated') throw error
      strangers.take(source)
      throw waitSeconds > 0 ? tooManyFailures(waitSeconds) : error
    }
  }
}

export type Authenticator = ReturnType<typeof createAuthenticator>

export const tooManyFailures = (retryAfterSeconds: number): BerthError =>
  new BerthError('rate_limited', 'Too many requests from this address could not be authenticated.', {
    retryAfterSeconds,
  })

const bearerOf = (request: Request): string => {
  const header = request.headers.authorization
  if (header === undefined) throw new BerthError('unauthenticated', 'The Authorization header is missing.')
  const credential = /^Bearer +([\w.~+/=-]+)$/i.exec(header)?.[1]
  if (credential === undefined)
    throw new BerthError('unauthenticated', 'The Authorization header is not "Bearer" and a token.')
  return credential
}

const whoOf = (caller: Caller, request: Request): ExternalId | null => {
  const uid = idHeader(request, 'berth-tenant')
  const identityTenant = idHeader(request, 'berth-identity-tenant')
  if (caller.kind === 'user') {
    // Refused even when it names the user itself: a header that is sometimes obeyed would be tried.
    if (uid !== null || identityTenant !== null)
      throw new BerthError(
        'forbidden',
        'A user acts for itself only; leave out Berth-Tenant and Berth-Identity-Tenant.',
      )
    return caller.externalId
  }
  if (caller.kind === 'operator' || uid === null) return null
  const parsed = externalIdSchema.safeParse({ project: caller.project, identityTenant: identityTenant ?? '', uid })
  if (parsed.success) return parsed.data
  throw new BerthError(
    'invalid_request',
    'Berth-Tenant and Berth-Identity-Tenant have at most 128 characters and no NUL.',
  )
}

/** Any Unicode travels percent-encoded; decoded once, here. */
const idHeader = (request: Request, name: 'berth-tenant' | 'berth-identity-tenant'): string | null => {
  const header = request.headers[name]
  if (header === undefined || header === '') return null
  try {
    // Node joins a header that was sent twice with a comma: such a name would be neither of the two.
    if (!/^[\x21-\x2b\x2d-\x7e]+$/.test(String(header))) throw new URIError('unencoded')
    return decodeURIComponent(String(header))
  } catch (cause) {
    throw new BerthError('invalid_request', `The header ${name} is not percent-encoded UTF-8.`, { cause })
  }
}
