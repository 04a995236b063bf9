import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants

/** True for a Node error with one of these codes. */
export const hasCode = (error: unknown, ...codes: readonly string[]): boolean =>
  error instanceof Error && 'code' in error && codes.includes(String(error.code))

/** What the kernel answers when a step is missing, is no folder, or is a symlink. */
const isNoWay = (error: unknown): boolean => hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP')

/** Path of an entry of an open folder. Linux resolves it from the descriptor (as openat does), so no parent can be swapped for a symlink. */
export const entryOf = (folder: FileHandle, name: string): string => `/proc/self/fd/${folder.fd}/${name}`

/** The open folder's own path, for readdir. */
export const pathOf = (folder: FileHandle): string => `/proc/self/fd/${folder.fd}`

const openStep = (path: string): Promise<FileHandle | null> =>
  open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW).catch((error: unknown) => {
    if (isNoWay(error)) return null
    throw error
  })

const stepInto = async (parent: FileHandle, part: string): Promise<FileHandle | null> => {
  try {
    return await openStep(entryOf(parent, part))
  } finally {
    await parent.close()
  }
}

/** Opens `root` and then each part inside the one before. Null when one is missing, is no folder, or is a symlink. */
export const openFolder = async (root: string, parts: readonly string[] = []): Promise<FileHandle | null> => {
  let folder = await openStep(root)
  for (const part of parts) {
    if (folder === null) return null
    folder = await stepInto(folder, part)
  }
  return folder
}

/** Runs `work` with the open folder and closes it; `missing` is the answer when there is no such folder. */
export const withFolder = async <T>(
  path: { root: string; parts?: readonly string[] },
  missing: T,
  work: (folder: FileHandle) => Promise<T>,
): Promise<T> => {
  const folder = await openFolder(path.root, path.parts)
  if (folder === null) return missing
  try {
    return await work(folder)
  } finally {
    await folder.close()
  }
}

/** Opens a regular file for reading; null for anything else. O_NONBLOCK: opening a FIFO would wait for its writer. */
export const openRegular = async (path: string): Promise<FileHandle | null> => {
  const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch((error: unknown) => {
    if (isNoWay(error) || hasCode(error, 'ENXIO')) return null
    throw error
  })
  if (file === null || (await file.stat()).isFile()) return file
  await file.close()
  return null
}
