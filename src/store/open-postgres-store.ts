import { Kysely, PostgresDialect, sql, type Transaction } from 'kysely'
import { BerthError } from '../domain/errors.ts'
import type { Clock } from '../domain/ports/clock.ts'
import type { Store } from '../domain/ports/store.ts'
import { postgresCommitBehind } from './commit-behind.ts'
import { createStore } from './create-store.ts'
import { createDatabase } from './database.ts'
import { createDatabaseLeaseTime } from './lease-time.ts'
import { migrate } from './migrate.ts'
import { migrations } from './migrations.ts'
import { createPostgresPool, STATEMENT_TIMEOUT_MS } from './postgres-pool.ts'
import { toStoreError } from './store-errors.ts'
import type { Tables } from './tables.ts'

/** External ids are any Unicode; a database in another encoding would refuse some users. */
const assertUtf8 = async (db: Kysely<Tables>): Promise<void> => {
  const { rows } = await sql<{ server_encoding: string }>`show server_encoding`.execute(db)
  const encoding = rows[0]?.server_encoding
  if (encoding !== 'UTF8')
    throw new BerthError(
      'config_invalid',
      `DATABASE_URL: expected a database with encoding UTF8, got ${encoding}; create one with ENCODING 'UTF8'`,
    )
}

/** A migration may rebuild a large table, and other servers that start wait for it. */
const MIGRATION_TIMEOUT_MS = 600_000

const connect = (url: string, timeoutMs: number): Kysely<Tables> =>
  new Kysely<Tables>({ dialect: new PostgresDialect({ pool: createPostgresPool(url, timeoutMs) }) })

/** Servers that start together take turns; the lock ends with the transaction, however the server ends. */
const lockSchema = async (db: Transaction<Tables>): Promise<void> => {
  await sql`select pg_advisory_xact_lock(1651470440, 0)`.execute(db)
}

const prepare = async (url: string): Promise<void> => {
  const db = connect(url, MIGRATION_TIMEOUT_MS)
  try {
    await assertUtf8(db)
    await migrate(db, { migrations, lock: lockSchema })
  } catch (error) {
    throw toStoreError(error)
  } finally {
    await db.destroy()
  }
}

/**
 * The store for production, shared by any number of servers.
 * @throws {BerthError} store_unavailable, config_invalid
 */
export const openPostgresStore = async ({ url, clock }: { url: string; clock: Clock }): Promise<Store> => {
  await prepare(url)
  const db = connect(url, STATEMENT_TIMEOUT_MS)
  const traits = {
    concurrentWriters: true,
    journalKeepsErased: false,
    commitBehind: postgresCommitBehind,
    leaseTime: createDatabaseLeaseTime(clock),
  }
  return createStore(createDatabase(db, traits, clock), () => db.destroy())
}
