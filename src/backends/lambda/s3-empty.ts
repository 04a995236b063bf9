import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
} from '@aws-sdk/client-s3'
import PQueue from 'p-queue'
import { awsError } from '../../aws/aws-errors.ts'
import type { Cell } from '../../aws/cell.ts'
import { BerthError } from '../../domain/errors.ts'
import { decodeKey, s3Call, s3Find } from './s3-call.ts'

export interface Emptied {
  /** Files that a reader could see. */
  readonly objects: number
  /** All versions of files, and marks of deletions, that were removed. */
  readonly versions: number
  /** Uploads that were never finished. */
  readonly uploads: number
}

interface Version {
  readonly Key: string
  readonly VersionId: string | undefined
}

/** A prefix of one berth, or a part of it. Nothing else is ever emptied. */
const BERTH_PREFIX = /^berths\/b[a-z2-7]{15}\/(?:.*\/)?$/

/** Characters that XML cannot carry, not even escaped; such a key can only be deleted by itself. */
// oxlint-disable-next-line no-control-regex
const isUnfitForXml = ({ Key }: Version): boolean => /[\u0000-\u001F\uFFFE\uFFFF]/.test(Key)

/** Of requests for one key each: code in a berth can leave a hundred thousand, and whoever deletes its tenant must come to an end. */
const AT_ONCE = 16

interface Work {
  readonly cell: Cell
  readonly prefix: string
  readonly signal: AbortSignal
  /** Of all that lies there, these alone. @default all of it */
  readonly only?: (key: string, modifiedAt: Date) => boolean
}

async function* versionPages({ cell, prefix, signal }: Work): AsyncGenerator<ListObjectVersionsCommandOutput> {
  let markers: { KeyMarker?: string; VersionIdMarker?: string } | null = {}
  while (markers !== null) {
    const command: ListObjectVersionsCommand = new ListObjectVersionsCommand({
      Bucket: cell.foundation.bucket,
      Prefix: prefix,
      EncodingType: 'url',
      ...markers,
    })
    const page: ListObjectVersionsCommandOutput = await s3Call(
      cell,
      { operation: 'ListObjectVersions', signal },
      (options) => cell.clients.s3.send(command, options),
    )
    yield page
    const { IsTruncated, NextKeyMarker = '', NextVersionIdMarker, EncodingType } = page
    markers =
      IsTruncated === true
        ? { KeyMarker: decodeKey(NextKeyMarker, EncodingType), ...versionMarker(NextVersionIdMarker) }
        : null
  }
}

const versionMarker = (marker: string | undefined): { VersionIdMarker?: string } =>
  marker === undefined || marker === '' ? {} : { VersionIdMarker: marker }

const deleteTogether = async ({ cell, signal }: Work, versions: readonly Version[]): Promise<void> => {
  if (versions.length === 0) return
  const command = new DeleteObjectsCommand({
    Bucket: cell.foundation.bucket,
    Delete: { Objects: [...versions], Quiet: true },
  })
  const { Errors = [] } = await s3Call(cell, { operation: 'DeleteObjects', signal }, (options) =>
    cell.clients.s3.send(command, options),
  )
  const [first] = Errors
  if (first === undefined) return
  const error = Object.assign(new Error(first.Message ?? ''), { name: first.Code ?? 'unknown' })
  throw awsError(error, { cell: cell.name, operation: 'DeleteObjects' }, 'backend_unavailable')
}

const deleteAlone = ({ cell, signal }: Work, version: Version): Promise<unknown> =>
  s3Call(cell, { operation: 'DeleteObject', signal }, (options) =>
    cell.clients.s3.send(new DeleteObjectCommand({ Bucket: cell.foundation.bucket, ...version }), options),
  )

interface Listed {
  readonly Key?: string | undefined
  readonly VersionId?: string | undefined
  readonly LastModified?: Date | undefined
}

/** The prefix once more: whatever answers without heeding it must not cost another tenant's files. */
const ownOf = (
  { prefix, only = () => true }: Work,
  listed: readonly Listed[],
  encoding: string | undefined,
): readonly Version[] =>
  listed
    .map(({ Key = '', VersionId, LastModified = new Date(0) }) => ({
      Key: decodeKey(Key, encoding),
      VersionId,
      LastModified,
    }))
    .filter(({ Key, LastModified }) => Key.startsWith(prefix) && only(Key, LastModified))
    .map(({ Key, VersionId }) => ({ Key, VersionId }))

const deleteVersions = async (work: Work): Promise<{ objects: number; versions: number }> => {
  const count = { objects: 0, versions: 0 }
  for await (const { Versions = [], DeleteMarkers = [], EncodingType } of versionPages(work)) {
    const found = ownOf(work, [...Versions, ...DeleteMarkers], EncodingType)
    await deleteTogether(
      work,
      found.filter((version) => !isUnfitForXml(version)),
    )
    const alone = new PQueue({ concurrency: AT_ONCE })
    await alone.addAll(found.filter(isUnfitForXml).map((version) => () => deleteAlone(work, version)))
    count.objects += ownOf(
      work,
      Versions.filter(({ IsLatest }) => IsLatest === true),
      EncodingType,
    ).length
    count.versions += found.length
  }
  return count
}

const uploadsBelow = async ({ cell, prefix, signal }: Work): Promise<ListMultipartUploadsCommandOutput> =>
  s3Call(cell, { operation: 'ListMultipartUploads', signal }, (options) =>
    cell.clients.s3.send(
      new ListMultipartUploadsCommand({ Bucket: cell.foundation.bucket, Prefix: prefix, EncodingType: 'url' }),
      options,
    ),
  )

const abortUpload = ({ cell, signal }: Work, Key: string, UploadId: string | undefined): Promise<unknown> =>
  s3Find(cell, { operation: 'AbortMultipartUpload', signal }, (options) =>
    cell.clients.s3.send(new AbortMultipartUploadCommand({ Bucket: cell.foundation.bucket, Key, UploadId }), options),
  )

const abortUploads = async (work: Work): Promise<number> => {
  let count = 0
  // An aborted upload leaves the list, so the first page is asked for until it is empty.
  for (;;) {
    const { Uploads = [], EncodingType } = await uploadsBelow(work)
    const own = Uploads.map(({ Key = '', UploadId }) => ({ Key: decodeKey(Key, EncodingType), UploadId })).filter(
      ({ Key }) => Key.startsWith(work.prefix),
    )
    const aborts = new PQueue({ concurrency: AT_ONCE })
    await aborts.addAll(
      own.map(
        ({ Key, UploadId }) =>
          () =>
            abortUpload(work, Key, UploadId),
      ),
    )
    count += own.length
    if (own.length === 0) return count
  }
}

/**
 * Removes everything below a berth's prefix for good: every version, every mark of a deletion, every unfinished upload, whatever
 * keys the code in the berth made there. May be called again; then it removes what came since.
 */
export const emptyPrefix = async (
  cell: Cell,
  prefix: string,
  { signal }: { signal: AbortSignal },
): Promise<Emptied> => {
  assertOfOneBerth(prefix)
  const work = { cell, prefix, signal }
  const uploads = await abortUploads(work)
  return { ...(await deleteVersions(work)), uploads }
}

/** The same for some of what lies there; unfinished uploads are left to the bucket's lifecycle. */
export const deleteBelow = (
  cell: Cell,
  prefix: string,
  options: Pick<Work, 'signal'> & Required<Pick<Work, 'only'>>,
): Promise<Omit<Emptied, 'uploads'>> => {
  assertOfOneBerth(prefix)
  return deleteVersions({ cell, prefix, ...options })
}

const assertOfOneBerth = (prefix: string): void => {
  if (!BERTH_PREFIX.test(prefix))
    throw new BerthError('internal', `expected a prefix of one berth to empty, got ${JSON.stringify(prefix)}`)
}
