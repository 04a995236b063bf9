import {
  DeleteObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import type { Cell } from '../../aws/cell.ts'
import { type BerthId, berthIdSchema } from '../../domain/ids.ts'
import { s3Call, s3Find } from '../lambda/s3-call.ts'

const PREFIX = 'shared/'

export const markKeyOf = (berthId: BerthId): string => `${PREFIX}${berthIdSchema.parse(berthId)}`

/** An object that says that the berth exists, and whose it is; the shared function itself knows nothing of its tenants. */
const markOf = (cell: Cell, berthId: BerthId) => ({
  Bucket: cell.foundation.bucket,
  Key: markKeyOf(berthId),
})

export const putMark = (cell: Cell, berthId: BerthId, signal: AbortSignal): Promise<unknown> =>
  s3Call(cell, { operation: 'PutObject', signal }, (options) =>
    cell.clients.s3.send(
      new PutObjectCommand({ ...markOf(cell, berthId), Body: Buffer.alloc(0), ContentLength: 0 }),
      options,
    ),
  )

export const hasMark = async (cell: Cell, berthId: BerthId, signal: AbortSignal): Promise<boolean> => {
  const found = await s3Find(cell, { operation: 'HeadObject', signal }, (options) =>
    cell.clients.s3.send(new HeadObjectCommand(markOf(cell, berthId)), options),
  )
  return found !== null
}

/** As `hasMark`, for who may list marks and must not read whose the berths are. */
export const isMarked = async (cell: Cell, berthId: BerthId, signal: AbortSignal): Promise<boolean> => {
  const { Bucket, Key } = markOf(cell, berthId)
  const { Contents = [] } = await s3Call(cell, { operation: 'ListObjectsV2', signal }, (options) =>
    cell.clients.s3.send(new ListObjectsV2Command({ Bucket, Prefix: Key, MaxKeys: 1 }), options),
  )
  return Contents.some((found) => found.Key === Key)
}

/** Removes every version of the mark and answers how many that were: the bucket keeps old ones. */
export const removeMark = async (cell: Cell, berthId: BerthId, signal: AbortSignal): Promise<number> => {
  const { Bucket, Key } = markOf(cell, berthId)
  let count = 0
  for (;;) {
    const { Versions = [], DeleteMarkers = [] } = await s3Call(
      cell,
      { operation: 'ListObjectVersions', signal },
      (options) => cell.clients.s3.send(new ListObjectVersionsCommand({ Bucket, Prefix: Key }), options),
    )
    // Ids are all of one length, so the prefix is the key; still nothing but the key is deleted.
    const found = [...Versions, ...DeleteMarkers].filter((version) => version.Key === Key)
    if (found.length === 0) return count
    for (const { VersionId } of found)
      await s3Call(cell, { operation: 'DeleteObject', signal }, (options) =>
        cell.clients.s3.send(new DeleteObjectCommand({ Bucket, Key, VersionId }), options),
      )
    count += Versions.length
  }
}

export async function* markedBerths(cell: Cell, signal: AbortSignal): AsyncGenerator<BerthId> {
  for (let token: string | undefined; ;) {
    const command = new ListObjectsV2Command({
      Bucket: cell.foundation.bucket,
      Prefix: PREFIX,
      ContinuationToken: token,
    })
    const page = await s3Call(cell, { operation: 'ListObjectsV2', signal }, (options) =>
      cell.clients.s3.send(command, options),
    )
    for (const { Key = '' } of page.Contents ?? []) {
      const berthId = berthIdSchema.safeParse(Key.slice(PREFIX.length))
      if (berthId.success) yield berthId.data
    }
    if (page.IsTruncated !== true) return
    token = page.NextContinuationToken
  }
}
