import { createHash } from 'node:crypto'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import type { Cell } from '../../aws/cell.ts'
import { BerthError } from '../../domain/errors.ts'
import { untilAborted } from '../../domain/until-aborted.ts'
import { s3Call } from './s3-call.ts'

export interface Uploaded {
  readonly bytes: number
  readonly sha256: string
}

export interface UploadOptions {
  readonly maxBytes: number
  readonly signal: AbortSignal
}

/** S3 takes parts from 5 MiB, and 10,000 of them: files of up to 80 GB. An upload holds two parts in memory. */
const PART_BYTES = 8 * 1024 * 1024

const tooLarge = (maxBytes: number): BerthError =>
  new BerthError('file_too_large', `A file has at most ${maxBytes} bytes; the body has more`)

/** Cuts a body into parts of one size; the last may be shorter, and an empty body is one empty part. */
async function* cut(body: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let kept: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body) {
    let rest = chunk
    while (bytes + rest.byteLength > PART_BYTES) {
      const taken = PART_BYTES - bytes
      yield Buffer.concat([...kept, rest.subarray(0, taken)])
      rest = rest.subarray(taken)
      kept = []
      bytes = 0
    }
    kept.push(rest)
    bytes += rest.byteLength
  }
  yield Buffer.concat(kept)
}

/** Counts and digests what goes through. @throws {BerthError} file_too_large */
const meter = (body: AsyncIterable<Uint8Array>, { maxBytes, signal }: UploadOptions) => {
  const hash = createHash('sha256')
  let bytes = 0
  const through = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of untilAborted(body, signal)) {
      bytes += chunk.byteLength
      if (bytes > maxBytes) throw tooLarge(maxBytes)
      hash.update(chunk)
      yield chunk
    }
  }
  return { body: through(), read: (): Uploaded => ({ bytes, sha256: hash.digest('hex') }) }
}

interface Target {
  readonly cell: Cell
  readonly key: string
  readonly signal: AbortSignal
}

const putWhole = async ({ cell, key, signal }: Target, content: Buffer, uploaded: Uploaded): Promise<void> => {
  const command = new PutObjectCommand({
    Bucket: cell.foundation.bucket,
    Key: key,
    Body: content,
    Metadata: { sha256: uploaded.sha256 },
    ChecksumSHA256: Buffer.from(uploaded.sha256, 'hex').toString('base64'),
  })
  await s3Call(cell, { operation: 'PutObject', signal }, (options) => cell.clients.s3.send(command, options))
}

/** Whatever happened, S3 keeps parts of an unfinished upload, and charges for them, until it is told or a lifecycle rule tells it. */
const forget = async ({ cell, key }: Target, uploadId: string | undefined): Promise<void> => {
  const command = new AbortMultipartUploadCommand({ Bucket: cell.foundation.bucket, Key: key, UploadId: uploadId })
  // The first failure is the one to tell; the bucket's lifecycle rule takes what stays.
  await cell.clients.s3.send(command).catch(() => undefined)
}

const sendParts = async (target: Target, uploadId: string | undefined, parts: AsyncIterable<Buffer>) => {
  const { cell, key, signal } = target
  const upload = { Bucket: cell.foundation.bucket, Key: key, UploadId: uploadId }
  const sent: { PartNumber: number; ETag: string | undefined }[] = []
  for await (const content of parts) {
    const command = new UploadPartCommand({ ...upload, PartNumber: sent.length + 1, Body: content })
    const { ETag } = await s3Call(cell, { operation: 'UploadPart', signal }, (options) =>
      cell.clients.s3.send(command, options),
    )
    sent.push({ PartNumber: sent.length + 1, ETag })
  }
  const command = new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts: sent } })
  await s3Call(cell, { operation: 'CompleteMultipartUpload', signal }, (options) =>
    cell.clients.s3.send(command, options),
  )
}

const putInParts = async (target: Target, parts: AsyncIterable<Buffer>): Promise<void> => {
  const { cell, key, signal } = target
  const create = new CreateMultipartUploadCommand({ Bucket: cell.foundation.bucket, Key: key })
  const { UploadId } = await s3Call(cell, { operation: 'CreateMultipartUpload', signal }, (options) =>
    cell.clients.s3.send(create, options),
  )
  try {
    await sendParts(target, UploadId, parts)
  } catch (error) {
    await forget(target, UploadId)
    throw error
  }
}

async function* chain(first: readonly Buffer[], rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield* first
  yield* rest
}

/**
 * Streams a body of unknown length into one key. The key changes all at once, when everything has arrived, or not at all.
 * A file of one part carries its digest as metadata; for a longer one it is known only when the metadata have long been sent.
 * The SDK's own `Upload` is not used: it does not hand the signal to its requests, so an aborted upload could still appear.
 */
export const uploadObject = async (
  { cell, key }: Omit<Target, 'signal'>,
  body: AsyncIterable<Uint8Array>,
  options: UploadOptions,
): Promise<Uploaded> => {
  options.signal.throwIfAborted()
  const target = { cell, key, signal: options.signal }
  const metered = meter(body, options)
  const parts = cut(metered.body)
  try {
    const first = await parts.next()
    const second = await parts.next()
    const head = first.done === true ? Buffer.alloc(0) : first.value
    if (second.done !== true) {
      await putInParts(target, chain([head, second.value], parts))
      return metered.read()
    }
    const uploaded = metered.read()
    await putWhole(target, head, uploaded)
    return uploaded
  } finally {
    // Lets go of the sender when S3 was the one to fail.
    await parts.return(undefined)
  }
}
