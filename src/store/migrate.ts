import { type Kysely, sql, type Transaction } from 'kysely'
import { BerthError } from '../domain/errors.ts'
import type { Migration } from './migrations.ts'

const readVersion = async <T>(db: Transaction<T>): Promise<number> => {
  const { rows } = await sql<{ version: number | null }>`select max(version) as version from berth_migrations`.execute(
    db,
  )
  return rows[0]?.version ?? 0
}

const apply = async <T>(db: Transaction<T>, { version, name, statements }: Migration): Promise<void> => {
  for (const statement of statements) await sql.raw(statement).execute(db)
  await sql`insert into berth_migrations (version, name) values (${version}, ${name})`.execute(db)
}

interface MigrateOptions<T> {
  readonly migrations: readonly Migration[]
  /** Keeps other processes out until the transaction ends. */
  readonly lock: (db: Transaction<T>) => Promise<void>
}

/**
 * Brings the database to the newest version, forward only, all in one transaction.
 * @throws {BerthError} config_invalid when a newer Berth has written this database
 */
export const migrate = async <T>(db: Kysely<T>, { migrations, lock }: MigrateOptions<T>): Promise<void> =>
  db.transaction().execute(async (trx) => {
    await lock(trx)
    await sql`create table if not exists berth_migrations (version integer primary key, name text not null)`.execute(
      trx,
    )
    const version = await readVersion(trx)
    const newest = migrations.at(-1)?.version ?? 0
    if (version > newest)
      throw new BerthError(
        'config_invalid',
        `The database has schema version ${version}, but this Berth knows only ${newest}; run the newer Berth again`,
      )
    for (const migration of migrations.filter((one) => one.version > version)) await apply(trx, migration)
  })
