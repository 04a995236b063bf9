import { makeFolder } from '../main/make-folder.ts'
import { type Flags, textFlag, usageError } from './command.ts'
import { visible } from './visible.ts'

/** For `catch`: an error of this machine's files is a fault in the path that was typed; any other goes on as it is. */
export const writeFault =
  (path: string) =>
  (error: unknown): never => {
    if (!(error instanceof Error && 'syscall' in error && 'code' in error)) throw error
    throw usageError(
      `${visible(path)} cannot be written: ${String(error.code)}`,
      'Check the path, who may write there, and the space on its disk.',
    )
  }

/** The folder of --out, made before anything is asked for that would be lost without it. */
export const outFolder = async (flags: Flags): Promise<string | undefined> => {
  const folder = textFlag(flags, 'out')
  if (folder !== undefined) await makeFolder(folder).catch(writeFault(folder))
  return folder
}
