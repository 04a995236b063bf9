import { BerthError, type ErrorCode, type FieldError, errorTable, isBerthError } from '../domain/errors.ts'

const isErrorCode = (value: unknown): value is ErrorCode =>
  typeof value === 'string' && Object.hasOwn(errorTable, value)

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

const isFieldError = (value: unknown): value is FieldError =>
  isRecord(value) && typeof value['pointer'] === 'string' && typeof value['detail'] === 'string'

const codesByStatus: Readonly<Record<number, ErrorCode>> = {
  400: 'invalid_request',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  405: 'method_not_allowed',
  409: 'conflict',
  413: 'payload_too_large',
  415: 'unsupported_media_type',
  429: 'rate_limited',
  502: 'server_unreachable',
  503: 'backend_unavailable',
  504: 'server_unreachable',
}

/** Retry-After as seconds; it may also be a date. */
const retryAfterOf = (response: Response): number | undefined => {
  const header = response.headers.get('retry-after')
  if (header === null) return undefined
  const seconds = Number(header)
  if (Number.isFinite(seconds)) return Math.max(0, seconds)
  const at = Date.parse(header)
  return Number.isNaN(at) ? undefined : Math.max(0, (at - Date.now()) / 1000)
}

const bodyOf = async (response: Response): Promise<Record<string, unknown>> => {
  try {
    const body: unknown = JSON.parse(await response.text())
    return isRecord(body) ? body : {}
  } catch {
    // Not JSON or cut off: the status alone has to do.
    return {}
  }
}

const textOr = (value: unknown, fallback: string): string =>
  typeof value === 'string' && value !== '' ? value : fallback

/** The error that an answer outside 2xx stands for. A proxy's page in between becomes one too, and says so. */
export const parseProblem = async (response: Response, asked: { method: string; url: string }): Promise<BerthError> => {
  const body = await bodyOf(response)
  const known = isErrorCode(body['code'])
  const code = isErrorCode(body['code']) ? body['code'] : (codesByStatus[response.status] ?? 'internal')
  const stranger = `${asked.method} ${asked.url} answered ${response.status} without Berth's problem+json`
  const retryAfterSeconds = retryAfterOf(response)
  return new BerthError(code, textOr(body['detail'], known ? errorTable[code].title : stranger), {
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    errors: Array.isArray(body['errors']) ? body['errors'].filter(isFieldError) : [],
    data: {
      status: response.status,
      serverCode: body['code'] ?? null,
      requestId: body['requestId'] ?? response.headers.get('x-request-id'),
      remedy: textOr(
        body['remedy'],
        known ? errorTable[code].remedy : 'Check that the URL is the one of a Berth server; a proxy may have answered.',
      ),
    },
  })
}

/** What to do about an error: the server's own words when it sent some. */
export const remedyOf = (error: BerthError): string => textOr(error.data['remedy'], errorTable[error.code].remedy)

/** Id under which the server's log knows the request; null when no server was reached. */
export const requestIdOf = (error: BerthError): string | null => {
  const id = error.data['requestId']
  return typeof id === 'string' ? id : null
}

const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause
  // Node hides the useful half (ECONNREFUSED, ENOTFOUND, …) in the cause.
  if (isRecord(cause) && typeof cause['code'] === 'string') return cause['code']
  return cause instanceof Error && cause.message !== '' ? cause.message : error.message
}

/** fetch failed, or the answer broke off. */
export const unreachable = (error: unknown, asked: { method: string; url: string }): BerthError =>
  isBerthError(error)
    ? error
    : new BerthError('server_unreachable', `${asked.method} ${asked.url} got no answer: ${reasonOf(error)}`, {
        cause: error,
        data: { url: asked.url },
      })
