import { BerthError, isBerthError } from '../domain/errors.ts'

/** Codes of the operating system that mean that no database answers there. */
const SYSTEM_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
  'EACCES',
])

/** SQLSTATE: 08 connection, 53 out of resources, 57 stopped or canceled, 58 system, 28 refused, 3D no such database. */
const POSTGRES_CLASSES = new Set(['08', '53', '57', '58', '28', '3D'])
/** lock_not_available, idle_in_transaction_session_timeout, read_only_sql_transaction (a standby after a failover). */
const POSTGRES_CODES = new Set(['55P03', '25P03', '25006'])
/** serialization_failure and deadlock_detected: the same transaction may pass when it is tried again. */
const POSTGRES_CONFLICTS = new Set(['40001', '40P01'])

/** Texts of node-postgres, pg-pool and kysely for errors that carry no code (pg 8.23, kysely 0.28). */
const POSTGRES_TEXTS = [
  'Connection terminated',
  'timeout exceeded when trying to connect',
  'timeout expired',
  'Query read timeout',
  'not queryable',
  'Client was closed',
  'Cannot use a pool after calling end on the pool',
  'driver has already been destroyed',
  'The server does not support SSL connections',
]

/** Primary result codes: BUSY, LOCKED, NOMEM, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, PROTOCOL, NOTADB. */
const SQLITE_CODES = new Set([5, 6, 7, 8, 10, 11, 13, 14, 15, 26])
const SQLITE_BUSY = 5

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''

/** node:sqlite gives the extended code; its low byte is the primary one. */
const sqliteCodeOf = (error: unknown): number | null =>
  error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : null

export const isSqliteBusy = (error: unknown): boolean => sqliteCodeOf(error) === SQLITE_BUSY

export const isTransientConflict = (error: unknown): boolean => POSTGRES_CONFLICTS.has(codeOf(error))

const isPostgresCode = (code: string): boolean =>
  /^[0-9A-Z]{5}$/.test(code) && (POSTGRES_CLASSES.has(code.slice(0, 2)) || POSTGRES_CODES.has(code))

/** After these a connection is in an unknown state and must not be used again. */
export const isConnectionLost = (error: unknown): boolean => {
  const code = codeOf(error)
  if (SYSTEM_CODES.has(code) || code.startsWith('08') || code.startsWith('57P') || code === '25P03') return true
  return error instanceof Error && POSTGRES_TEXTS.some((text) => error.message.includes(text))
}

/** True when the database cannot be reached or cannot work now; false for a mistake in a query. */
export const isUnavailable = (error: unknown): boolean => {
  if (error instanceof AggregateError) return error.errors.some(isUnavailable)
  const code = codeOf(error)
  const sqliteCode = sqliteCodeOf(error)
  if (sqliteCode !== null) return SQLITE_CODES.has(sqliteCode)
  // node:sqlite after close
  if (code === 'ERR_INVALID_STATE') return true
  return isTransientConflict(error) || isPostgresCode(code) || isConnectionLost(error)
}

const reasonOf = (error: unknown): string =>
  error instanceof Error && error.message !== '' ? error.message : codeOf(error) || 'no reason given'

/** A BerthError stays, "not reachable" becomes store_unavailable, anything else is a bug and stays as it is. */
export const toStoreError = (error: unknown): unknown => {
  if (isBerthError(error) || !isUnavailable(error)) return error
  return new BerthError('store_unavailable', `The store does not answer: ${reasonOf(error)}`, {
    cause: error,
    retryAfterSeconds: 2,
  })
}
