import { BerthError, isBerthError } from '../domain/errors.ts'
import { withErrors } from './byte-stream.ts'
import { credentialHeaders } from './credentials.ts'
import type { BerthOptions } from './options.ts'
import { parseProblem, unreachable } from './problem.ts'
import { type Repeat, withRetries } from './retry.ts'
import { segment } from './segment.ts'

const DEFAULT_TIMEOUT_MS = 60_000
const DEFAULT_RETRIES = 3

export interface WireRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Parts between the slashes, not encoded. */
  readonly path: readonly string[]
  readonly query?: Readonly<Record<string, string | number | null | undefined>>
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly json?: unknown
  /** Sent as it is. A stream can be sent only once. */
  readonly body?: NonNullable<RequestInit['body']>
  readonly repeat: Repeat
  /** Milliseconds until the answer must have begun; null for no deadline, as for a long upload. */
  readonly timeoutMs?: number | null
  readonly signal?: AbortSignal | undefined
}

export interface Transport {
  /** The body of the answer, parsed; null for 204. @throws {BerthError} the problem, or server_unreachable */
  json<T>(request: WireRequest): Promise<T>
  /** An answer in 2xx whose body is not read yet. @throws {BerthError} the problem, or server_unreachable */
  open(request: WireRequest): Promise<Response>
}

export const createTransport = (options: BerthOptions): Transport => {
  const base = parseBaseUrl(options.baseUrl)
  const send = options.fetch ?? fetch
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS
  const retries = options.retries ?? DEFAULT_RETRIES

  const tryOnce = async <T>(request: WireRequest, read: (response: Response) => Promise<T> | T): Promise<T> => {
    request.signal?.throwIfAborted()
    const asked = { method: request.method, url: urlOf(base, request) }
    const deadline = createDeadline(request.timeoutMs === undefined ? timeoutMs : request.timeoutMs, asked)
    try {
      const signals = [deadline.signal, request.signal].filter((signal) => signal !== undefined)
      const init = await initOf(request, options)
      const response = await send(asked.url, { ...init, signal: AbortSignal.any(signals) })
      if (!response.ok) throw await parseProblem(response, asked)
      return await read(response)
    } catch (error) {
      if (request.signal?.aborted === true) throw request.signal.reason
      throw unreachable(error, asked)
    } finally {
      deadline.stop()
    }
  }

  const withRepeats = <T>(request: WireRequest, read: (response: Response) => Promise<T> | T): Promise<T> =>
    withRetries(() => tryOnce(request, read), { repeat: request.repeat, retries, signal: request.signal })

  return {
    json: <T>(request: WireRequest) => withRepeats(request, (response) => parseJson<T>(response)),
    open: (request) => withRepeats(request, (response) => explained(response, request)),
  }
}

const parseBaseUrl = (baseUrl: string): string => {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : null
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new BerthError(
      'config_invalid',
      `baseUrl: expected an http or https URL such as http://127.0.0.1:8787, got ${JSON.stringify(baseUrl)}`,
    )
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`
}

const urlOf = (base: string, request: WireRequest): string => {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(request.query ?? {}))
    if (value !== null && value !== undefined) query.set(name, String(value))
  return `${base}/${request.path.map(segment).join('/')}${query.size === 0 ? '' : `?${query.toString()}`}`
}

const initOf = async (request: WireRequest, options: BerthOptions): Promise<RequestInit> => {
  const isJson = request.json !== undefined
  const body = isJson ? JSON.stringify(request.json) : request.body
  return {
    method: request.method,
    headers: {
      Accept: 'application/json',
      ...(isJson ? { 'Content-Type': 'application/json' } : {}),
      ...(await credentialHeaders(options)),
      ...request.headers,
    },
    ...(body === undefined ? {} : { body }),
    // fetch sends a stream only when it is told not to wait for the answer's beginning.
    ...(body instanceof ReadableStream ? { duplex: 'half' as const } : {}),
  }
}

const createDeadline = (timeoutMs: number | null, asked: { method: string; url: string }) => {
  const controller = new AbortController()
  if (timeoutMs === null) return { signal: controller.signal, stop: () => undefined }
  const timer = setTimeout(
    () =>
      controller.abort(
        new BerthError('server_unreachable', `${asked.method} ${asked.url} got no answer within ${timeoutMs} ms`, {
          data: { url: asked.url, remedy: 'Try again, or give the request a larger timeoutMs.' },
        }),
      ),
    timeoutMs,
  )
  return { signal: controller.signal, stop: () => clearTimeout(timer) }
}

const parseJson = async <T>(response: Response): Promise<T> => {
  const text = await response.text()
  try {
    return (text === '' ? null : JSON.parse(text)) as T
  } catch (error) {
    throw new BerthError('server_unreachable', `${response.url} answered ${response.status} without JSON`, {
      cause: error,
      data: { remedy: 'Check that the URL is the one of a Berth server; a proxy may have answered.' },
    })
  }
}

/** An answer whose body, when it breaks off, says which request that was. */
const explained = (response: Response, request: WireRequest): Response => {
  if (response.body === null) return response
  const asked = { method: request.method, url: response.url }
  const body = withErrors(response.body, (error) =>
    isBerthError(error) || request.signal?.aborted === true ? error : unreachable(error, asked),
  )
  return new Response(body, response)
}
