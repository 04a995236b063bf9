import { z } from 'zod'
import { BerthError } from '../domain/errors.ts'
import type { Page } from '../domain/ports/store.ts'

/** The place after which a page begins. Rows keep their place for ever, so new rows never move a walk. */
export interface Place {
  readonly createdAt: number
  readonly id: string
}

const placeSchema = z.tuple([
  z.int(),
  z
    .string()
    .min(1)
    .max(64)
    .regex(/^[a-z0-9]+$/),
])

const formatCursor = ({ createdAt, id }: Place): string =>
  Buffer.from(JSON.stringify([createdAt, id])).toString('base64url')

const decode = (cursor: string): unknown => {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString())
  } catch {
    return null
  }
}

/** @throws {BerthError} invalid_request */
export const parseCursor = (cursor: string | null): Place | null => {
  if (cursor === null) return null
  const place = placeSchema.safeParse(decode(cursor))
  if (!place.success) {
    const detail = `cursor: expected the nextCursor of an earlier page, got ${JSON.stringify(cursor.slice(0, 64))}; leave it out to begin at the first page`
    throw new BerthError('invalid_request', detail, { errors: [{ pointer: '/cursor', detail }] })
  }
  const [createdAt, id] = place.data
  return { createdAt, id }
}

/** Makes a page from rows that were read with one row more than the page takes. */
export const toPage = <Row extends { created_at: number; id: string }, T>(
  rows: readonly Row[],
  limit: number,
  parse: (row: Row) => T,
): Page<T> => {
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  const nextCursor =
    rows.length > limit && last !== undefined ? formatCursor({ createdAt: last.created_at, id: last.id }) : null
  return { entries: shown.map(parse), nextCursor }
}
