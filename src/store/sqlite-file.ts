import { chmodSync, closeSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'

/** Only a foreign reader (a backup, the sqlite3 shell) can make us wait: servers are kept apart by the folder's lock. */
const BUSY_TIMEOUT_MS = 5000

/** SQLite would make the file readable for all; its journals inherit what the file itself has. */
export const makePrivateFile = (path: string): void => {
  closeSync(openSync(path, 'a', 0o600))
  chmodSync(path, 0o600)
}

export const openSqliteFile = (path: string): DatabaseSync => {
  makePrivateFile(path)
  const sqlite = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true })
  // FULL: in WAL mode anything less may lose the last commits when the machine loses power.
  // secure_delete: what was deleted is overwritten, not only unlinked: a deleted user leaves nothing behind.
  sqlite.exec('pragma journal_mode = wal; pragma synchronous = full; pragma secure_delete = on')
  return sqlite
}
