import { ListObjectsV2Command } from '@aws-sdk/client-s3'
import type { Cell } from '../../aws/cell.ts'
import { decodeKey, s3Call } from './s3-call.ts'

export interface ListedFile {
  /** What follows the prefix in the key. */
  readonly name: string
  readonly bytes: number
  readonly modifiedAt: Date
}

export interface Listing {
  readonly prefix: string
  /** The listing begins after this name. @default the first */
  readonly after?: string
  /** Names per request; S3 gives at most 1000. @default 1000 */
  readonly pageSize?: number
  readonly signal: AbortSignal
}

/** All files below a prefix, in S3's own order: by the bytes of UTF-8. */
export async function* listObjects(cell: Cell, listing: Listing): AsyncGenerator<ListedFile> {
  const { prefix, after = '', pageSize = 1000, signal } = listing
  let token: string | undefined
  do {
    const command = new ListObjectsV2Command({
      Bucket: cell.foundation.bucket,
      Prefix: prefix,
      EncodingType: 'url',
      MaxKeys: Math.min(1000, pageSize),
      ...(token === undefined
        ? after === ''
          ? {}
          : { StartAfter: `${prefix}${after}` }
        : { ContinuationToken: token }),
    })
    const page = await s3Call(cell, { operation: 'ListObjectsV2', signal }, (options) =>
      cell.clients.s3.send(command, options),
    )
    for (const { Key = '', Size = 0, LastModified = new Date(0) } of page.Contents ?? [])
      yield { name: decodeKey(Key, page.EncodingType).slice(prefix.length), bytes: Size, modifiedAt: LastModified }
    token = page.IsTruncated === true ? page.NextContinuationToken : undefined
  } while (token !== undefined)
}

/**
 * The two orders differ in one thing only. By UTF-8 bytes U+E000 to U+FFFF come before the characters beyond (emoji), by UTF-16
 * units they come after them, for those begin with a surrogate. Both orders keep all names with the same beginning and then one
 * of these characters together. So a name's head, what comes before its first such character, tells which names may change places.
 */
const headOf = (name: string): string | null => {
  const at = name.search(/[\uD800-\uFFFF]/)
  return at === -1 ? null : name.slice(0, at)
}

const byUnits = (a: ListedFile, b: ListedFile): number => {
  if (a.name === b.name) return 0
  return a.name < b.name ? -1 : 1
}

/** The same files in the order of their names by UTF-16 units. Holds only the names that share a head. */
async function* inUnitOrder(files: AsyncIterable<ListedFile>): AsyncGenerator<ListedFile> {
  let group: ListedFile[] = []
  let head: string | null = null
  for await (const file of files) {
    const next = headOf(file.name)
    if (next === null || next !== head) {
      yield* group.toSorted(byUnits)
      group = []
      head = next
    }
    if (next === null) yield file
    else group.push(file)
  }
  yield* group.toSorted(byUnits)
}

/** Where S3 must begin so that nothing after `name` in the order of units is missed: before the names that share its head. */
const restartOf = (name: string): string => {
  const head = headOf(name)
  // U+D7FF is the last character below those that change places.
  return head === null ? name : `${head}\uD7FF`
}

/** Files below a prefix after `after`, in the order of their names by UTF-16 units. */
export async function* listInOrder(cell: Cell, listing: Listing): AsyncGenerator<ListedFile> {
  const { after = '' } = listing
  for await (const file of inUnitOrder(listObjects(cell, { ...listing, after: restartOf(after) })))
    if (file.name > after) yield file
}
