import { randomBytes } from 'node:crypto'
import type { Request, Response } from 'express'
import type { Caller } from '../domain/ports/identity-verifier.ts'
import type { ExternalId } from '../domain/tenant.ts'

/** One request on its way through an operation. */
export interface RequestContext {
  readonly request: Request
  readonly response: Response
  readonly requestId: string
  /** Aborted when the connection breaks before the answer is complete. */
  readonly signal: AbortSignal
}

export interface CallerContext extends RequestContext {
  readonly caller: Caller
  /** Whom the call is for; null for operators and for a service that names nobody. */
  readonly who: ExternalId | null
  /** Looks again whether the caller still is who it was. @throws {BerthError} unauthenticated, identity_unavailable, store_unavailable */
  readonly recheck: () => Promise<void>
}

export interface TenantContext extends CallerContext {
  readonly who: ExternalId
}

const processPart = randomBytes(6).toString('hex')
let counter = 0

/** The caller's own id when it is harmless in a log and a header, else a new one. */
export const requestIdOf = (header: string | undefined): string => {
  if (header !== undefined && /^[\w.:-]{1,64}$/.test(header)) return header
  counter += 1
  return `q${processPart}${counter.toString(36)}`
}

/** @see https://www.w3.org/TR/trace-context/#traceparent-header checked 2026-11-22 */
export const isTraceparent = (header: string | undefined): header is string =>
  header !== undefined && /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/.test(header)
