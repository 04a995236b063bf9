import { errorTable, type ErrorCode } from '../domain/error-table.ts'
import { BerthError, isBerthError, type FieldError, toldToTenants } from '../domain/errors.ts'

export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly instance: string
  readonly code: ErrorCode
  readonly category: string
  readonly retryable: boolean
  readonly remedy: string
  readonly requestId: string
  readonly errors: readonly FieldError[]
}

/** What may be shown of anything that was thrown. A bug shows its request id and nothing of itself. */
export const toBerthError = (error: unknown): BerthError => {
  if (isBerthError(error)) return error
  return new BerthError('internal', 'Berth failed in a way that it has no name for.', { cause: error })
}

export const createProblem = (
  error: BerthError,
  at: { instance: string; requestId: string; forOperator?: boolean },
): Problem => {
  const { title, status, category, retryable, remedy } = errorTable[error.code]
  return {
    type: `/docs/errors#${error.code}`,
    title,
    // Codes of a tenant's code have 200 in the table; as an answer of their own they are a bug of ours.
    status: status < 400 ? 500 : status,
    detail: at.forOperator === true ? error.message : toldToTenants(error),
    instance: at.instance,
    code: error.code,
    category,
    retryable,
    remedy,
    requestId: at.requestId,
    errors: error.errors,
  }
}

/** Headers that belong to a refusal. */
export const problemHeaders = (error: BerthError, problem: Problem): Readonly<Record<string, string>> => {
  const waits = problem.status === 429 || (problem.status === 503 && problem.retryable)
  const seconds = Math.max(1, Math.ceil(error.retryAfterSeconds ?? 1))
  return {
    'Content-Type': 'application/problem+json',
    ...((waits || error.retryAfterSeconds !== undefined) && { 'Retry-After': String(seconds) }),
    ...(problem.status === 429 && { RateLimit: `"${problem.code}";r=0;t=${seconds}` }),
    ...(problem.status === 401 && { 'WWW-Authenticate': 'Bearer realm="berth"' }),
  }
}
