import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { BerthError } from '../domain/errors.ts'
import { makePrivateFile } from './sqlite-file.ts'
import { isSqliteBusy } from './store-errors.ts'

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

const lockFile = (dataDir: string): DatabaseSync => {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const path = join(dataDir, 'berth.lock')
  makePrivateFile(path)
  return lock(path)
}

const toFolderError = (error: unknown, dataDir: string): BerthError => {
  const folder = resolve(dataDir)
  const options = { cause: error, data: { dataDir: folder } }
  if (isSqliteBusy(error))
    return new BerthError(
      'data_dir_locked',
      `The data directory ${folder} is in use by another Berth server; stop that server, or give this one a directory of its own by BERTH_DATA_DIR, or a Postgres database by DATABASE_URL`,
      options,
    )
  const reason = error instanceof Error ? error.message : String(error)
  return new BerthError(
    'config_invalid',
    `BERTH_DATA_DIR: expected a folder that this user may make and write, got ${folder} (${reason})`,
    options,
  )
}

/**
 * Makes the folder and holds it for this process. The lock is the kernel's and ends with the process, however it ends,
 * so there is no stale lock to clear after kill -9. A folder that exists keeps its mode: it may hold more than ours.
 * @throws {BerthError} data_dir_locked, config_invalid
 */
export const lockFolder = (dataDir: string): Disposable => {
  try {
    const file = lockFile(dataDir)
    return { [Symbol.dispose]: () => file.close() }
  } catch (error) {
    throw toFolderError(error, dataDir)
  }
}
