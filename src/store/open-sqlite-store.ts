import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Kysely } from 'kysely'
import type { Clock } from '../domain/ports/clock.ts'
import type { Store } from '../domain/ports/store.ts'
import { createStore } from './create-store.ts'
import { createDatabase } from './database.ts'
import { lockFolder, makePrivateFile } from './folder-lock.ts'
import { migrate } from './migrate.ts'
import { createSqliteDialect } from './sqlite-dialect.ts'
import { toStoreError } from './store-errors.ts'
import type { Tables } from './tables.ts'

/** Only a foreign reader (a backup, the sqlite3 shell) can make us wait: servers are kept apart by the folder's lock. */
const BUSY_TIMEOUT_MS = 5000

const openFile = (path: string): DatabaseSync => {
  makePrivateFile(path)
  const sqlite = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true })
  // FULL: in WAL mode anything less may lose the last commits when the machine loses power.
  sqlite.exec('pragma journal_mode = wal; pragma synchronous = full')
  return sqlite
}

/**
 * The embedded store in `<dataDir>/berth.sqlite`.
 * @throws {BerthError} data_dir_locked, store_unavailable, config_invalid
 */
export const openSqliteStore = async (options: { dataDir: string; clock: Clock }): Promise<Store> => {
  const { dataDir, clock } = options
  await using resources = new AsyncDisposableStack()
  try {
    resources.use(lockFolder(dataDir))
    const sqlite = openFile(join(dataDir, 'berth.sqlite'))
    const db = new Kysely<Tables>({ dialect: createSqliteDialect(() => sqlite) })
    resources.defer(() => db.destroy())
    await migrate(db, async () => undefined)
    const owned = resources.move()
    return createStore(createDatabase(db, { concurrentWriters: false }, clock), () => owned.disposeAsync())
  } catch (error) {
    throw toStoreError(error)
  }
}
