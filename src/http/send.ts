import type { Response } from 'express'

/** Answers with JSON as it is. The values are Berth's own, so no schema looks at them again. */
export const sendJson = (response: Response, status: number, value: unknown): void => {
  const body = JSON.stringify(value)
  response.writeHead(status, {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
  })
  // As text: Node then sends head and body in one piece.
  response.end(body)
}

/** Types that no browser executes; everything else travels as bytes. */
const harmless = new Set([
  'application/json',
  'application/pdf',
  'application/vnd.apache.parquet',
  'image/gif',
  'image/jpeg',
  'image/png',
  'image/webp',
  'text/csv',
  'text/plain',
])

export const harmlessMime = (mime: string): string => (harmless.has(mime) ? mime : 'application/octet-stream')

/** RFC 5987: what is not an attr-char is percent-encoded; encodeURIComponent leaves four too many. */
const encodeName = (name: string): string =>
  encodeURIComponent(name).replaceAll(/['()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`)

/**
 * Headers of bytes that a tenant or its code wrote. They are saved, never shown: on this origin hostile HTML would act
 * with the rights of whoever looks at it.
 */
export const downloadHeaders = (name: string, mime: string): Readonly<Record<string, string>> => {
  const last = name.slice(name.lastIndexOf('/') + 1)
  const ascii = last.replaceAll(/[^\w .-]/g, '_')
  return {
    'Content-Type': harmlessMime(mime),
    'Content-Disposition': `attachment; filename="${ascii}"; filename*=UTF-8''${encodeName(last.toWellFormed())}`,
    'Content-Security-Policy': "sandbox; default-src 'none'; frame-ancestors 'none'",
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': 'private, no-store',
  }
}
