import { createHash } from 'node:crypto'
import type { Request } from 'express'
import { BerthError } from '../domain/errors.ts'
import type { Run, RunRequest } from '../domain/run.ts'

/** RFC 7240; preferences that are not known are ignored, as it demands. */
export const prefersAsync = (request: Request): boolean => {
  const header = request.headers['prefer']
  if (header === undefined) return false
  return String(header)
    .split(',')
    .some((preference) => /^\s*respond-async\s*(?:;|$)/i.test(preference))
}

/** Keys are sorted at every level, so that the same request in another order is the same request. */
const canonical = (value: unknown): string => {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`).join(',')}}`
}

export const idempotencyOf = (
  request: Request,
  run: RunRequest,
): { readonly key: string; readonly requestHash: string } | null => {
  const key = request.headers['idempotency-key']
  if (key === undefined) return null
  if (!/^[\x20-\x7e]{1,255}$/.test(String(key)))
    throw new BerthError('invalid_request', 'The header Idempotency-Key has 1 to 255 printable ASCII characters.')
  return { key: String(key), requestHash: createHash('sha256').update(canonical(run)).digest('hex') }
}

/** @see https://www.w3.org/TR/server-timing/ */
export const serverTiming = ({ timings }: Run): string => {
  const { queueMs, coldStartMs, execMs, totalMs } = timings
  const parts = { queue: queueMs, cold: coldStartMs, exec: execMs, total: totalMs }
  return Object.entries(parts)
    .map(([name, ms]) => `${name};dur=${ms}`)
    .join(', ')
}
