import { type ErrorCode, errorTable } from './error-table.ts'

const brand = Symbol.for('berth.error')

export interface BerthErrorOptions {
  readonly cause?: unknown
  /** Seconds after which a repeat makes sense; becomes the Retry-After header. */
  readonly retryAfterSeconds?: number
  /** What was wrong, field by field; `pointer` is an RFC 6901 JSON pointer into the body. */
  readonly errors?: readonly FieldError[]
  /** Ids and details for the log. Never shown to callers. With `forOperators: true` the text itself is not for tenants: `toldToTenants`. */
  readonly data?: Readonly<Record<string, unknown>>
}

export interface FieldError {
  readonly pointer: string
  readonly detail: string
}

/** Berth could not do its job. Code of a tenant that fails is not an error but a run with `error` or `failure`. */
export class BerthError extends Error {
  override readonly name = 'BerthError'
  readonly [brand] = true
  readonly code: ErrorCode
  readonly retryAfterSeconds: number | undefined
  readonly errors: readonly FieldError[]
  readonly data: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, detail: string, options: BerthErrorOptions = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryAfterSeconds = options.retryAfterSeconds
    this.errors = options.errors ?? []
    this.data = options.data ?? {}
  }
}

/** What a tenant may read of it: texts that name the platform, its places or what it said are for operators and the log. */
export const toldToTenants = (error: BerthError): string =>
  error.data['forOperators'] === true ? `${errorTable[error.code].title}.` : error.message

/** By symbol, not instanceof: two copies of the package in one process still understand each other. */
export const isBerthError = (value: unknown): value is BerthError =>
  typeof value === 'object' && value !== null && brand in value
