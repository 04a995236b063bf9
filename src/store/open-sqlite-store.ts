import { join } from 'node:path'
import { Kysely } from 'kysely'
import type { Clock } from '../domain/ports/clock.ts'
import type { Store } from '../domain/ports/store.ts'
import { createSqliteCommitBehind } from './commit-behind.ts'
import { createStore } from './create-store.ts'
import { createDatabase } from './database.ts'
import { lockFolder } from './folder-lock.ts'
import { ownLeaseTime } from './lease-time.ts'
import { migrate } from './migrate.ts'
import { migrations } from './migrations.ts'
import { createSqliteDialect } from './sqlite-dialect.ts'
import { openSqliteFile } from './sqlite-file.ts'
import { toStoreError } from './store-errors.ts'
import type { Tables } from './tables.ts'

/**
 * The embedded store in `<dataDir>/berth.sqlite`.
 * @throws {BerthError} data_dir_locked, store_unavailable, config_invalid
 */
export const openSqliteStore = async (options: { dataDir: string; clock: Clock }): Promise<Store> => {
  const { dataDir, clock } = options
  await using resources = new AsyncDisposableStack()
  try {
    resources.use(lockFolder(dataDir))
    const sqlite = openSqliteFile(join(dataDir, 'berth.sqlite'))
    const db = new Kysely<Tables>({ dialect: createSqliteDialect(() => sqlite) })
    resources.defer(() => db.destroy())
    // The folder's lock keeps other servers out.
    await migrate(db, { migrations, lock: async () => undefined })
    const owned = resources.move()
    const commitBehind = createSqliteCommitBehind(sqlite)
    const traits = { concurrentWriters: false, journalKeepsErased: true, commitBehind, leaseTime: ownLeaseTime }
    return createStore(createDatabase(db, traits, clock), () => owned.disposeAsync())
  } catch (error) {
    throw toStoreError(error)
  }
}
