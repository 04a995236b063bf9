import { mkdir, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { BerthError } from '../domain/errors.ts'

/**
 * As `mkdir -p`, with the mode for all that is made. Node's own `recursive` takes ENOENT for a missing parent and tries for ever
 * where the kernel lets nobody make anything, as in /proc.
 */
export const makeFolder = async (path: string, mode = 0o777): Promise<void> => {
  if (await isFolder(path)) return
  const parent = dirname(resolve(path))
  if (parent !== resolve(path)) await makeFolder(parent, mode)
  try {
    await mkdir(path, mode)
  } catch (error) {
    // Somebody else may have made it in between.
    if (!(await isFolder(path))) throw error
  }
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )

/** @throws {BerthError} config_invalid when it is neither there nor can be made */
export const makeDataFolder = async (dataDir: string): Promise<void> => {
  try {
    await makeFolder(dataDir, 0o700)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const detail = `expected a folder that this user may make and write, got ${dataDir} (${reason})`
    throw new BerthError('config_invalid', `BERTH_DATA_DIR: ${detail}.`, {
      cause,
      errors: [{ pointer: '/BERTH_DATA_DIR', detail }],
      data: { remedy: 'Set BERTH_DATA_DIR, or --data-dir, to a folder on a disk, for example /var/lib/berth.' },
    })
  }
}
