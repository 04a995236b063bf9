import type { Socket } from 'node:net'
import type { ErrorCode } from '../domain/error-table.ts'
import { BerthError } from '../domain/errors.ts'
import { createProblem } from '../http/problem.ts'
import { requestIdOf } from '../http/request-context.ts'

const codes: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
}

const details: Partial<Record<ErrorCode, string>> = {
  headers_too_large: 'The headers have more than 16 KiB.',
  request_timeout: 'The request had not arrived in time.',
}

/** What never became a request still gets a problem, and its connection is closed. */
export const answerClientError = (
  error: Error & { code?: string },
  socket: Pick<Socket, 'writable' | 'end' | 'destroy'>,
): void => {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const code = codes[error.code ?? ''] ?? 'invalid_request'
  const detail = details[code] ?? 'The bytes are not an HTTP/1.1 request.'
  const problem = createProblem(new BerthError(code, detail), { instance: '/', requestId: requestIdOf(undefined) })
  const body = JSON.stringify(problem)
  socket.end(
    [
      `HTTP/1.1 ${problem.status} ${problem.title}`,
      'Connection: close',
      'Content-Type: application/problem+json',
      'X-Content-Type-Options: nosniff',
      `Content-Length: ${Buffer.byteLength(body)}`,
      `X-Request-Id: ${problem.requestId}`,
      '',
      body,
    ].join('\r\n'),
  )
}
