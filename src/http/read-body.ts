import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { BerthError } from '../domain/errors.ts'

export interface ReadBodyOptions {
  /** Exactly this many bytes pass. */
  readonly maxBytes: number
  readonly timeoutMs: number
}

/**
 * The whole body as it came. What exceeds the limit is not kept; Node discards the rest behind the answer.
 * @throws {BerthError} payload_too_large, request_timeout, invalid_request when the connection broke
 */
export const readBody = async (request: IncomingMessage, options: ReadBodyOptions): Promise<Buffer> => {
  const declared = Number(request.headers['content-length'] ?? 0)
  if (declared > options.maxBytes) throw tooLarge(options.maxBytes)
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const chunks: Buffer[] = []
  let bytes = 0
  const onData = (chunk: Buffer): void => {
    bytes += chunk.length
    if (bytes > options.maxBytes) reject(tooLarge(options.maxBytes))
    else chunks.push(chunk)
  }
  const onEnd = (): void => resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks))
  const onClose = (): void => {
    // It comes after every body, and an error costs its stack.
    if (!request.readableEnded) reject(new BerthError('invalid_request', 'The connection broke before the body ended.'))
  }
  const timer = setTimeout(() => reject(timedOut(options.timeoutMs)), options.timeoutMs)
  request.on('data', onData).once('end', onEnd).once('close', onClose)
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    request.off('data', onData).off('end', onEnd).off('close', onClose)
    // What is left of a refused body is read and dropped, so that the caller gets to see the answer.
    request.resume()
  }
}

const tooLarge = (maxBytes: number): BerthError =>
  new BerthError('payload_too_large', `The body may have ${maxBytes} bytes at most.`)

const timedOut = (timeoutMs: number): BerthError =>
  new BerthError('request_timeout', `The body had not arrived after ${timeoutMs} ms.`)

/** Nesting of JSON that is taken; deeper values break recursive code behind this one, and Python's json. */
const MAX_DEPTH = 100

/** @throws {BerthError} unsupported_media_type, malformed_json, invalid_request and what readBody throws */
export const readJson = async (request: IncomingMessage, options: ReadBodyOptions): Promise<unknown> => {
  assertJson(request)
  return parseJson(await readBody(request, options))
}

const jsonType = /^application\/(?:[\w.-]+\+)?json\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i

/** Nothing is decompressed: a small body must not become a large one. */
export const assertJson = (request: IncomingMessage): void => {
  const type = request.headers['content-type'] ?? ''
  if (type !== 'application/json' && !jsonType.test(type))
    throw new BerthError(
      'unsupported_media_type',
      `Expected Content-Type: application/json, got ${JSON.stringify(type.slice(0, 60))}.`,
    )
  assertPlainEncoding(request)
}

export const assertPlainEncoding = (request: IncomingMessage): void => {
  const encoding = request.headers['content-encoding'] ?? 'identity'
  if (encoding !== 'identity')
    throw new BerthError(
      'unsupported_media_type',
      `Expected no Content-Encoding, got ${JSON.stringify(encoding.slice(0, 60))}.`,
    )
}

export const parseJson = (body: Buffer): unknown => {
  const value = parseForeignJson(body)
  assertShape(value, 0)
  return value
}

/** For bodies of which a few fields are read and the rest, which may be anybody's, is dropped. */
export const parseForeignJson = (body: Buffer): unknown => {
  if (body.length === 0) throw new BerthError('malformed_json', 'The body is empty; expected a JSON object.')
  if (!isUtf8(body)) throw new BerthError('malformed_json', 'The body is not UTF-8.')
  return parseText(body.toString('utf8'))
}

const parseText = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch (cause) {
    // V8's message quotes the body; only the place is safe to repeat.
    const place = /at position \d+(?: \(line \d+ column \d+\))?/.exec(String(cause))?.[0] ?? 'at its end'
    throw new BerthError('malformed_json', `The body is not JSON; the parser stopped ${place}.`, { cause })
  }
}

/** Own recursion, bounded by MAX_DEPTH, instead of a stack overflow somewhere behind. */
const assertShape = (value: unknown, depth: number): void => {
  if (typeof value !== 'object' || value === null) return
  if (depth >= MAX_DEPTH) throw new BerthError('invalid_request', `The body is nested deeper than ${MAX_DEPTH} levels.`)
  if (Array.isArray(value)) {
    for (const inner of value) assertShape(inner, depth + 1)
    return
  }
  // zod drops this key without a word, and nothing may be cut silently.
  if (Object.hasOwn(value, '__proto__'))
    throw new BerthError('invalid_request', 'The body has a key "__proto__", which is not allowed; rename it.')
  for (const inner of Object.values(value)) assertShape(inner, depth + 1)
}
