import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { BerthError } from '../domain/errors.ts'
import { isSqliteBusy } from './store-errors.ts'

/** SQLite would make the file readable for all; its journals inherit what the file itself has. */
export const makePrivateFile = (path: string): void => {
  closeSync(openSync(path, 'a', 0o600))
  chmodSync(path, 0o600)
}

const lock = (path: string): DatabaseSync => {
  const file = new DatabaseSync(path, { timeout: 0 })
  try {
    file.exec('begin exclusive')
    return file
  } catch (error) {
    file.close()
    throw error
  }
}

/**
 * Makes the folder and holds it for this process. The lock is the kernel's and ends with the process, however it ends,
 * so there is no stale lock to clear after kill -9.
 * @throws {BerthError} data_dir_locked
 */
export const lockFolder = (dataDir: string): Disposable => {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const path = join(dataDir, 'berth.lock')
  makePrivateFile(path)
  try {
    const file = lock(path)
    return { [Symbol.dispose]: () => file.close() }
  } catch (error) {
    if (!isSqliteBusy(error)) throw error
    throw new BerthError(
      'data_dir_locked',
      `The data directory ${resolve(dataDir)} is in use by another Berth server; stop that server, or give this one a directory of its own by BERTH_DATA_DIR, or a Postgres database by DATABASE_URL`,
      { cause: error, data: { dataDir } },
    )
  }
}
