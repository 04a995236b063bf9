import { DeleteObjectCommand, GetObjectCommand, HeadObjectCommand } from '@aws-sdk/client-s3'
import { Readable } from 'node:stream'
import type { Cell } from '../../aws/cell.ts'
import { decodeCursor, encodeCursor } from '../../domain/file-cursor.ts'
import { BerthError } from '../../domain/errors.ts'
import { type RunId, runIdSchema } from '../../domain/ids.ts'
import type { FileEntry, TenantFiles } from '../../domain/ports/tenant-files.ts'
import { readDownload } from './s3-body.ts'
import { s3Find } from './s3-call.ts'
import { deleteBelow, emptyPrefix } from './s3-empty.ts'
import { type ListedFile, listInOrder, listObjects } from './s3-listing.ts'
import { isShown, keyOf, prefixOfPlace, prefixOfRuns } from './s3-place.ts'
import { presignGet, presignPut } from './s3-presign.ts'
import { uploadObject } from './s3-upload.ts'

const entryOf = ({ name, bytes, modifiedAt }: ListedFile): FileEntry => ({ name, bytes, modifiedAt, sha256: null })

const list: (cell: Cell) => TenantFiles['list'] =
  (cell) =>
  async (place, { cursor, limit, signal }) => {
    const listing = { prefix: prefixOfPlace(place), after: decodeCursor(cursor), pageSize: limit + 1, signal }
    const entries: FileEntry[] = []
    for await (const file of listInOrder(cell, listing)) {
      if (!isShown(place, file.name)) continue
      const last = entries.at(-1)
      if (entries.length >= limit) return { entries, nextCursor: last === undefined ? null : encodeCursor(last.name) }
      entries.push(entryOf(file))
    }
    return { entries, nextCursor: null }
  }

/** S3 tells its own time only to who reads, and to the second; this is ours. */
const nowToTheSecond = (): Date => new Date(Math.floor(Date.now() / 1000) * 1000)

// The port has four parameters.
// oxlint-disable-next-line max-params
const put: (cell: Cell) => TenantFiles['put'] = (cell) => async (place, name, body, options) => {
  const { bytes, sha256 } = await uploadObject({ cell, key: keyOf(place, name) }, body, options)
  return { name, bytes, sha256, modifiedAt: nowToTheSecond() }
}

/** Metadata is what anyone who may write the key made it. */
const digestIn = (metadata: Record<string, string> | undefined): string | null => {
  const digest = metadata?.['sha256'] ?? ''
  return /^[0-9a-f]{64}$/.test(digest) ? digest : null
}

const get: (cell: Cell) => TenantFiles['get'] =
  (cell) =>
  async (place, name, { signal }) => {
    const command = new GetObjectCommand({ Bucket: cell.foundation.bucket, Key: keyOf(place, name) })
    const found = await s3Find(cell, { operation: 'GetObject', signal }, (options) =>
      cell.clients.s3.send(command, options),
    )
    if (found === null) return null
    if (!(found.Body instanceof Readable)) throw new BerthError('internal', 'S3 gave a file without a stream')
    const modifiedAt = found.LastModified ?? new Date(0)
    const entry = { name, bytes: found.ContentLength ?? 0, modifiedAt, sha256: digestIn(found.Metadata) }
    return { entry, body: readDownload(found.Body) }
  }

/** Hides the file. The version behind it goes when the bucket's lifecycle says so, or with the berth. */
const deleteOne: (cell: Cell) => TenantFiles['delete'] =
  (cell) =>
  async (place, name, { signal }) => {
    const object = { Bucket: cell.foundation.bucket, Key: keyOf(place, name) }
    const found = await s3Find(cell, { operation: 'HeadObject', signal }, (options) =>
      cell.clients.s3.send(new HeadObjectCommand(object), options),
    )
    if (found === null) return false
    await s3Find(cell, { operation: 'DeleteObject', signal }, (options) =>
      cell.clients.s3.send(new DeleteObjectCommand(object), options),
    )
    return true
  }

const deleteAll: (cell: Cell) => TenantFiles['deleteAll'] =
  (cell) =>
  async (place, { signal }) =>
    (await emptyPrefix(cell, prefixOfPlace(place), { signal })).objects

/** In whose place a name below a berth's runs lies; null for a stray. */
const runOf = (name: string): RunId | null => {
  const slash = name.indexOf('/')
  return slash === -1 ? null : (runIdSchema.safeParse(name.slice(0, slash)).data ?? null)
}

const listRuns: (cell: Cell) => TenantFiles['listRuns'] =
  (cell) =>
  async (berthId, { untouchedSince, signal }) => {
    const changedAt = new Map<RunId, Date>()
    for await (const { name, modifiedAt } of listObjects(cell, { prefix: prefixOfRuns(berthId), signal })) {
      const runId = runOf(name)
      if (runId === null) continue
      const known = changedAt.get(runId)
      if (known === undefined || known < modifiedAt) changedAt.set(runId, modifiedAt)
    }
    return [...changedAt].flatMap(([runId, modifiedAt]) => (modifiedAt < untouchedSince ? [runId] : []))
  }

/** Code in a berth may write any key below its `runs/`; a runner writes below the id of its run. */
const deleteStrays: (cell: Cell) => TenantFiles['deleteStrays'] =
  (cell) =>
  async (berthId, { untouchedSince, signal }) => {
    const prefix = prefixOfRuns(berthId)
    const isStray = (key: string, modifiedAt: Date): boolean =>
      modifiedAt < untouchedSince && runOf(key.slice(prefix.length)) === null
    return (await deleteBelow(cell, prefix, { signal, only: isStray })).objects
  }

const presign: (cell: Cell) => TenantFiles['presign'] =
  (cell) =>
  async (place, name, { method, bytes, signal }) => {
    signal.throwIfAborted()
    const key = keyOf(place, name)
    if (method === 'GET') return presignGet(cell, key, name)
    return bytes === undefined ? null : presignPut(cell, key, bytes)
  }

/** All that lies there counts, also what is not shown: the room is taken. */
const usage: (cell: Cell) => TenantFiles['usage'] =
  (cell) =>
  async (place, { signal }) => {
    const sum = { bytes: 0, files: 0 }
    for await (const { bytes } of listObjects(cell, { prefix: prefixOfPlace(place), signal })) {
      sum.bytes += bytes
      sum.files += 1
    }
    return sum
  }

/** Files of berths in the cell's bucket, each berth's below its own prefix, under their own names. */
export const createS3Files = (cell: Cell): TenantFiles => ({
  list: list(cell),
  put: put(cell),
  get: get(cell),
  delete: deleteOne(cell),
  deleteAll: deleteAll(cell),
  listRuns: listRuns(cell),
  deleteStrays: deleteStrays(cell),
  presign: presign(cell),
  usage: usage(cell),
})
