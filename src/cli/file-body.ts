import { constants, openAsBlob } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { usageError } from './command.ts'
import { visible } from './visible.ts'

/** A file of this machine as a body that can be sent again. @throws {BerthError} invalid_request */
export const fileBody = async (path: string): Promise<Blob> => {
  // Asked first: `openAsBlob` says of no failure what it was.
  const isFile = await readable(path)
  if (!isFile)
    throw usageError(
      `${visible(path)} cannot be read: it is no regular file`,
      'Name a file, or send its content to `-`.',
    )
  return openAsBlob(path)
}

const readable = async (path: string): Promise<boolean> => {
  try {
    await access(path, constants.R_OK)
    return (await stat(path)).isFile()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw usageError(`${visible(path)} cannot be read: ${code}`, 'Check the path, and who may read there.')
  }
}
