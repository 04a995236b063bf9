import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3'
import type { Cell } from '../../aws/cell.ts'
import { parseOwner, writeOwner } from '../../domain/berth-owner.ts'
import type { BerthId } from '../../domain/ids.ts'
import type { BerthOwners, OwnerTrace } from '../../domain/ports/berth-owners.ts'
import { hasObjects } from './destroy-berth.ts'
import { ownerKeyOf, filesPrefixOf } from './names.ts'
import { s3Call, s3Find } from './s3-call.ts'

type Asking = { readonly signal: AbortSignal }

export const putOwnerText = (cell: Cell, object: { key: string; text: string }, { signal }: Asking): Promise<unknown> =>
  s3Call(cell, { operation: 'PutObject', signal }, (options) =>
    cell.clients.s3.send(
      new PutObjectCommand({
        Bucket: cell.foundation.bucket,
        Key: object.key,
        Body: object.text,
        ContentType: 'application/json',
      }),
      options,
    ),
  )

/** Null when there is no such object. */
export const readOwnerText = async (cell: Cell, key: string, { signal }: Asking): Promise<string | null> => {
  const command = new GetObjectCommand({ Bucket: cell.foundation.bucket, Key: key })
  const found = await s3Find(cell, { operation: 'GetObject', signal }, (options) =>
    cell.clients.s3.send(command, options),
  )
  return found === null ? null : ((await found.Body?.transformToString()) ?? '')
}

export const readTrace = (
  text: string | null,
  { berthId, holdsFiles }: { berthId: BerthId; holdsFiles: boolean },
): OwnerTrace => {
  if (text === null) return { kind: 'unclaimed', holdsFiles }
  const owner = parseOwner(text, berthId)
  return owner === null ? { kind: 'illegible', holdsFiles } : { kind: 'owned', owner, holdsFiles }
}

const hasFiles = async (cell: Cell, berthId: BerthId, { signal }: Asking): Promise<boolean> => {
  const command = new ListObjectsV2Command({
    Bucket: cell.foundation.bucket,
    Prefix: filesPrefixOf(berthId),
    MaxKeys: 1,
    EncodingType: 'url',
  })
  const { KeyCount = 0 } = await s3Call(cell, { operation: 'ListObjectsV2', signal }, (options) =>
    cell.clients.s3.send(command, options),
  )
  return KeyCount > 0
}

/**
 * An object beside `files/` and `runs/`, which the berth's role can neither read nor write. Not a tag of the stack: every claim of a spare
 * would then be an UpdateStack, some three of Lambda's 15 requests a second, where a PutObject costs none of them.
 */
export const createS3Owners = (cell: Cell): BerthOwners => ({
  async record(owner, options) {
    options.signal.throwIfAborted()
    await putOwnerText(cell, { key: ownerKeyOf(owner.berthId), text: writeOwner(owner) }, options)
  },

  async trace(berthId, options) {
    options.signal.throwIfAborted()
    const text = await readOwnerText(cell, ownerKeyOf(berthId), options)
    // Without a record even an old version of a deleted file says that somebody lived here.
    const holdsFiles =
      text === null ? await hasObjects(cell, berthId, options.signal) : await hasFiles(cell, berthId, options)
    return readTrace(text, { berthId, holdsFiles })
  },
})
