import { realpath } from 'node:fs/promises'
import { dirname, join, resolve, sep } from 'node:path'
import { BerthError } from '../domain/errors.ts'
import { makeFolder } from '../main/make-folder.ts'
import { type Body, replaceFile } from './replace-file.ts'

/**
 * Saves a stream under a name that hostile code may have chosen. It stays below the folder: no `..`, no absolute path,
 * and no link that leads out.
 */
export const saveBelow = async (folder: string, name: string, body: Body): Promise<string> => {
  await makeFolder(folder)
  const root = await realpath(folder)
  const target = resolve(root, name)
  const isBelow = (path: string): boolean => path.startsWith(root.endsWith(sep) ? root : root + sep)
  if (name.includes('\0') || !isBelow(target)) throw outside(name)
  await makeFolder(dirname(target))
  if (!isBelow(join(await realpath(dirname(target)), 'x'))) throw outside(name)
  await replaceFile(target, body)
  return target
}

const outside = (name: string): BerthError =>
  new BerthError('invalid_file_name', `the name ${JSON.stringify(name)} leads out of the folder; nothing was saved`)
