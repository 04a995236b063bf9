import type { PostgresPool, PostgresPoolClient } from 'kysely'
import { Pool, type PoolClient, TypeOverrides } from 'pg'
import { isConnectionLost } from './store-errors.ts'

const CONNECT_TIMEOUT_MS = 5000
/** No statement of ours takes seconds; a longer one waits for a lock or for a server that is in trouble. */
export const STATEMENT_TIMEOUT_MS = 10_000
/** Our own clock runs a little longer, for a server that vanished without closing the connection. */
const GRACE_MS = 5000
const MAX_CONNECTIONS = 10
const INT8_OID = 20

/** Times and counts fit a double; node-postgres would give them as strings. */
const types = new TypeOverrides()
types.setTypeParser(INT8_OID, Number)

/** Remembers whether the connection broke, so that it is thrown away instead of going back to the pool. */
const watch = (client: PoolClient): PostgresPoolClient => {
  let isLost = false
  const query = async (text: string, values: readonly unknown[]) => {
    try {
      return await client.query(text, [...values])
    } catch (error) {
      isLost ||= isConnectionLost(error)
      throw error
    }
  }
  // kysely's type also takes a cursor; none is configured, so it never passes one.
  return { query: query as unknown as PostgresPoolClient['query'], release: () => client.release(isLost) }
}

export const createPostgresPool = (url: string, timeoutMs: number): PostgresPool => {
  const pool = new Pool({
    connectionString: url,
    max: MAX_CONNECTIONS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: timeoutMs,
    query_timeout: timeoutMs + GRACE_MS,
    idle_in_transaction_session_timeout: timeoutMs,
    keepAlive: true,
    application_name: 'berth',
    types,
  })
  // A connection that breaks emits an error on the pool while it is idle, and on itself between two statements of a
  // transaction. Unheard, either would end the process; whoever uses the connection next gets the error anyway.
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
  return { connect: async () => watch(await pool.connect()), end: () => pool.end() }
}
