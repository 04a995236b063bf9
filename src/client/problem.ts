import { type ErrorCode, errorTable } from '../domain/error-table.ts'
import { BerthError, type FieldError, isBerthError } from '../domain/errors.ts'

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

/** An empty object when it is not JSON or cut off: the status alone has to do then. */
export const parseObject = (text: string): Record<string, unknown> => {
  try {
    const body: unknown = JSON.parse(text)
    return isRecord(body) ? body : {}
  } catch {
    return {}
  }
}

const textOr = (value: unknown, fallback: string): string =>
  typeof value === 'string' && value !== '' ? value : fallback

interface Circumstances {
  readonly status: number
  readonly requestId: string | null
  readonly retryAfterSeconds: number | undefined
  /** Says what came when it was no problem+json. */
  readonly stranger: string
}

const inStream: Circumstances = {
  status: 200,
  requestId: null,
  retryAfterSeconds: undefined,
  stranger: 'the event stream broke off with an error of no known kind',
}

/** The error that a problem+json stands for. A newer server's code that is not known here becomes the nearest by status. */
export const problemError = (body: Record<string, unknown>, around: Circumstances = inStream): BerthError => {
  const known = isErrorCode(body['code'])
  const code = isErrorCode(body['code']) ? body['code'] : (codesByStatus[around.status] ?? 'internal')
  const { retryAfterSeconds } = around
  return new BerthError(code, textOr(body['detail'], known ? errorTable[code].title : around.stranger), {
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    errors: Array.isArray(body['errors']) ? body['errors'].filter(isFieldError) : [],
    data: {
      status: around.status,
      serverCode: body['code'] ?? null,
      requestId: body['requestId'] ?? around.requestId,
      remedy: textOr(
        body['remedy'],
        known ? errorTable[code].remedy : 'Check that the URL is the one of a Berth server; a proxy may have answered.',
      ),
    },
  })
}

/** The error that an answer outside 2xx stands for. A proxy's page in between becomes one too, and says so. */
export const parseProblem = async (response: Response, asked: { method: string; url: string }): Promise<BerthError> =>
  problemError(parseObject(await response.text()), {
    status: response.status,
    requestId: response.headers.get('x-request-id'),
    retryAfterSeconds: retryAfterOf(response),
    stranger: `${asked.method} ${asked.url} answered ${response.status} without Berth's problem+json`,
  })

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
