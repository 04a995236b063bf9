import type { DatabaseSync } from 'node:sqlite'
import { type Kysely, sql, type Transaction } from 'kysely'
import type { Tables } from './tables.ts'

/**
 * One transaction whose commit does not wait for the disk: it outlives this process at once, and a crash of the machine
 * only after a moment. Every other transaction still waits.
 */
export type CommitBehind = <T>(db: Kysely<Tables>, work: (db: Transaction<Tables>) => Promise<T>) => Promise<T>

/** The connection is held meanwhile, so nobody else commits at the lower level. */
export const createSqliteCommitBehind =
  (sqlite: DatabaseSync): CommitBehind =>
  (db, work) =>
    db.connection().execute(async (connection) => {
      // Past the cache of statements: SQLite obeys this pragma when it compiles it, so a cached one would do nothing.
      sqlite.exec('pragma synchronous = normal')
      try {
        return await connection.transaction().execute(work)
      } finally {
        sqlite.exec('pragma synchronous = full')
      }
    })

/** @see https://www.postgresql.org/docs/current/wal-async-commit.html checked 2026-11-22 */
export const postgresCommitBehind: CommitBehind = (db, work) =>
  db.transaction().execute(async (transaction) => {
    await sql`set local synchronous_commit = off`.execute(transaction)
    return work(transaction)
  })
