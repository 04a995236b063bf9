import { createHash, randomUUID } from 'node:crypto'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { BerthError } from '../../domain/errors.ts'
import { hasCode } from './beneath.ts'
import type { Layout } from './layout.ts'
import { untilAborted } from '../../domain/until-aborted.ts'

/** A complete, synced file in `incoming/`, waiting for the rename that makes it visible. */
export interface Upload {
  readonly path: string
  readonly bytes: number
  readonly sha256: string
  readonly modifiedAt: Date
}

export interface UploadOptions {
  readonly maxBytes: number
  readonly signal: AbortSignal
}

const tooLarge = (maxBytes: number): BerthError =>
  new BerthError('file_too_large', `A file has at most ${maxBytes} bytes; the body has more`)

const writeAll = async (file: FileHandle, chunk: Uint8Array): Promise<void> => {
  let offset = 0
  while (offset < chunk.byteLength) offset += (await file.write(chunk, offset)).bytesWritten
}

const receiveInto = async (file: FileHandle, body: AsyncIterable<Uint8Array>, options: UploadOptions) => {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of untilAborted(body, options.signal)) {
    bytes += chunk.byteLength
    if (bytes > options.maxBytes) throw tooLarge(options.maxBytes)
    hash.update(chunk)
    await writeAll(file, chunk)
  }
  // The sandbox reads it under another uid, through a mount of this one file; 0700 above it keeps other users out.
  await file.chmod(0o644)
  await file.sync()
  return { bytes, sha256: hash.digest('hex'), modifiedAt: (await file.stat()).mtime }
}

/** A full disk by its name; any other error as it is. */
export const explainDisk = (error: unknown): unknown => {
  if (!hasCode(error, 'ENOSPC', 'EDQUOT')) return error
  return new BerthError('backend_unavailable', "The disk of the server's machine is full", { cause: error })
}

/** Writes the body beside everything that anyone can see. On any failure nothing is left. */
export const receiveUpload = async (
  layout: Layout,
  body: AsyncIterable<Uint8Array>,
  options: UploadOptions,
): Promise<Upload> => {
  options.signal.throwIfAborted()
  const path = `${layout.incoming}/${randomUUID()}`
  try {
    const file = await open(path, 'wx', 0o600)
    try {
      return { path, ...(await receiveInto(file, body, options)) }
    } finally {
      await file.close()
    }
  } catch (error) {
    await rm(path, { force: true })
    throw explainDisk(error)
  }
}
