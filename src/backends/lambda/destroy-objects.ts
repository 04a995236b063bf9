import {
  AbortMultipartUploadCommand,
  DeleteObjectsCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  type ObjectIdentifier,
} from '@aws-sdk/client-s3'
import { awsError, isNotFound } from '../../aws/aws-errors.ts'
import type { Cell } from '../../aws/cell.ts'
import { BerthError } from '../../domain/errors.ts'
import type { BerthId } from '../../domain/ids.ts'
import { filesPrefixOf, prefixOf, runsPrefixOf } from './names.ts'

export interface ObjectCounts {
  /** What a listing without versions shows. */
  readonly file: number
  readonly artifact: number
  /** Older versions, delete markers and whatever lies beside files and runs. */
  readonly version: number
  readonly upload: number
}

/** New objects may come while old ones go; but not for ever, since the role is gone by then. */
const MOST_ROUNDS = 5

/** Deletes every version, delete marker and unfinished upload under the berth's prefix, until a listing shows none. */
export const destroyObjects = async (cell: Cell, berthId: BerthId, signal: AbortSignal): Promise<ObjectCounts> => {
  const counts = { file: 0, artifact: 0, version: 0, upload: 0 }
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    counts.upload += await abortUploads(cell, berthId, signal)
    if ((await deleteVersions(cell, berthId, { counts, signal })) === 0) return counts
  }
  throw new BerthError('backend_unavailable', `Objects of berth ${berthId} keep coming while they are deleted`, {
    retryAfterSeconds: 30,
    data: { cell: cell.name },
  })
}

type Counts = { -readonly [Kind in keyof ObjectCounts]: number }

const deleteVersions = async (
  cell: Cell,
  berthId: BerthId,
  { counts, signal }: { counts: Counts; signal: AbortSignal },
): Promise<number> => {
  let deleted = 0
  for await (const page of versionPages(cell, berthId, signal)) {
    const { Versions, DeleteMarkers } = ownOf(page, prefixOf(berthId))
    await deletePage(cell, identifiersOf([...Versions, ...DeleteMarkers]), signal)
    for (const { Key = '', IsLatest = false } of Versions) counts[IsLatest ? kindOf(berthId, Key) : 'version'] += 1
    counts.version += DeleteMarkers.length
    deleted += Versions.length + DeleteMarkers.length
  }
  return deleted
}

/** The prefix once more: whatever answers without heeding it must not cost another tenant's files. */
const ownOf = ({ Versions = [], DeleteMarkers = [] }: ListObjectVersionsCommandOutput, prefix: string) => ({
  Versions: Versions.filter(({ Key = '' }) => Key.startsWith(prefix)),
  DeleteMarkers: DeleteMarkers.filter(({ Key = '' }) => Key.startsWith(prefix)),
})

const kindOf = (berthId: BerthId, key: string): keyof Counts => {
  if (key.startsWith(filesPrefixOf(berthId))) return 'file'
  return key.startsWith(runsPrefixOf(berthId)) ? 'artifact' : 'version'
}

const identifiersOf = (
  entries: readonly { Key?: string | undefined; VersionId?: string | undefined }[],
): ObjectIdentifier[] => entries.flatMap(({ Key, VersionId }) => (Key === undefined ? [] : [{ Key, VersionId }]))

async function* versionPages(
  cell: Cell,
  berthId: BerthId,
  signal: AbortSignal,
): AsyncIterable<ListObjectVersionsCommandOutput> {
  let marker: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } = {}
  for (;;) {
    const command = new ListObjectVersionsCommand({
      Bucket: cell.foundation.bucket,
      Prefix: prefixOf(berthId),
      ...marker,
    })
    const page = await asked(cell, 'ListObjectVersions', signal, () =>
      cell.clients.s3.send(command, { abortSignal: signal }),
    )
    yield page
    if (page.IsTruncated !== true) return
    marker = { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker }
  }
}

const deletePage = async (cell: Cell, objects: ObjectIdentifier[], signal: AbortSignal): Promise<void> => {
  if (objects.length === 0) return
  const command = new DeleteObjectsCommand({
    Bucket: cell.foundation.bucket,
    Delete: { Objects: objects, Quiet: true },
  })
  const { Errors = [] } = await asked(cell, 'DeleteObjects', signal, () =>
    cell.clients.s3.send(command, { abortSignal: signal }),
  )
  const [first] = Errors
  if (first === undefined) return
  const detail = `${Errors.length} objects of cell ${cell.name} were not deleted: ${first.Code}`
  throw new BerthError('backend_unavailable', detail, { retryAfterSeconds: 10, data: { awsMessage: first.Message } })
}

const abortUploads = async (cell: Cell, berthId: BerthId, signal: AbortSignal): Promise<number> => {
  const { bucket: Bucket } = cell.foundation
  const { s3 } = cell.clients
  let aborted = 0
  let marker: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } = {}
  for (;;) {
    const command = new ListMultipartUploadsCommand({ Bucket, Prefix: prefixOf(berthId), ...marker })
    const page = await asked(cell, 'ListMultipartUploads', signal, () => s3.send(command, { abortSignal: signal }))
    for (const { Key = '', UploadId } of page.Uploads ?? [])
      if (Key.startsWith(prefixOf(berthId))) {
        const abort = new AbortMultipartUploadCommand({ Bucket, Key, UploadId })
        await asked(cell, 'AbortMultipartUpload', signal, () => s3.send(abort, { abortSignal: signal })).catch(
          (error: unknown) => {
            if (!isNotFound(error)) throw error
          },
        )
        aborted += 1
      }
    if (page.IsTruncated !== true) return aborted
    marker = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker }
  }
}

// S3 is not paced: it scales with its prefixes, and its client repeats by itself.
// oxlint-disable-next-line max-params
const asked = async <T>(cell: Cell, operation: string, signal: AbortSignal, send: () => Promise<T>): Promise<T> => {
  signal.throwIfAborted()
  try {
    return await send()
  } catch (error) {
    signal.throwIfAborted()
    throw isNotFound(error) ? error : awsError(error, { cell: cell.name, operation })
  }
}
