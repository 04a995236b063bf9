import { randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

export type Body = ReadableStream<Uint8Array> | Uint8Array

/** Renamed into place when it is whole: a link of that name is replaced and not followed, and nothing half stays behind. */
export const replaceFile = async (target: string, body: Body, mode = 0o666): Promise<void> => {
  const draft = `${target}.${randomUUID()}.part`
  try {
    const source = body instanceof Uint8Array ? Readable.from([body]) : Readable.from(body)
    await pipeline(source, createWriteStream(draft, { flags: 'wx', mode }))
    await rename(draft, target)
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
}
