import { BerthError } from './errors.ts'

/** A place in a list of names, as callers hand it back: opaque to them, the last name of the page to us. */
export const encodeCursor = (name: string): string => Buffer.from(name).toString('base64url')

/** The name after which the next page begins; empty for the first. @throws {BerthError} invalid_request */
export const decodeCursor = (cursor: string | null): string => {
  if (cursor === null) return ''
  const name = Buffer.from(cursor, 'base64url').toString()
  if (name !== '' && encodeCursor(name) === cursor) return name
  const detail = `cursor: expected the nextCursor of an earlier page, got ${JSON.stringify(cursor.slice(0, 64))}; leave it out to begin at the first page`
  throw new BerthError('invalid_request', detail, { errors: [{ pointer: '/cursor', detail }] })
}
