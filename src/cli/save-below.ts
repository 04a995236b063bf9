import { randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { realpath, rename, rm } from 'node:fs/promises'
import { dirname, join, resolve, sep } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { BerthError } from '../domain/errors.ts'
import { makeFolder } from '../main/make-folder.ts'

/**
 * Saves a stream under a name that hostile code may have chosen. It stays below the folder: no `..`, no absolute path,
 * and no link that leads out.
 */
export const saveBelow = async (
  folder: string,
  name: string,
  body: ReadableStream<Uint8Array> | Uint8Array,
): Promise<string> => {
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

/** Renamed into place when it is whole: a link of that name is replaced and not followed, and nothing half stays behind. */
const replaceFile = async (target: string, body: ReadableStream<Uint8Array> | Uint8Array): Promise<void> => {
  const draft = `${target}.${randomUUID()}.part`
  try {
    const source = body instanceof Uint8Array ? Readable.from([body]) : Readable.from(body)
    await pipeline(source, createWriteStream(draft, { flags: 'wx' }))
    await rename(draft, target)
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
}

const outside = (name: string): BerthError =>
  new BerthError('invalid_file_name', `the name ${JSON.stringify(name)} leads out of the folder; nothing was saved`)
