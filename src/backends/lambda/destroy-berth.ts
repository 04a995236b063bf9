import { ListObjectVersionsCommand } from '@aws-sdk/client-s3'
import { BerthError } from '../../domain/errors.ts'
import type { BerthId } from '../../domain/ids.ts'
import type { DestroyReport } from '../../domain/ports/berths.ts'
import type { Cell } from '../../aws/cell.ts'
import { isLogGroupThere, isRoleThere, lookAtFunction } from './berth-parts.ts'
import { filesPrefixOf, logGroupOf, prefixOf, runsPrefixOf } from './names.ts'
import { s3Call } from './s3-call.ts'
import { emptyPrefix } from './s3-empty.ts'
import type { Asked } from './stack-reads.ts'
import { deleteLeftovers, type Leftovers } from './stack-leftovers.ts'
import { removeStack, type StackParts } from './stack-removal.ts'

/**
 * The stack first: without function and role nothing of the tenant's can write any more. Then what the stack left, then every object.
 * Each step finds what an earlier try has done. @throws {BerthError} backend_unavailable
 */
export const destroyBerth = async (parts: StackParts, berthId: BerthId, asked: Asked): Promise<DestroyReport> => {
  const { cell, calls } = parts
  const stack = await calls.describe(calls.named(berthId), asked)
  if (stack !== null) await removeStack(parts, { berthId, stack }, asked)
  const leftovers = await deleteLeftovers(cell, berthId, asked)
  const objects = await deleteObjects(cell, berthId, asked)
  const verifiedAbsent = await verifyAbsent(parts, berthId, asked)
  const deleted = deletedOf(cell, berthId, { stacks: stack === null ? 0 : 1, leftovers, objects })
  return { deleted, verifiedAbsent }
}

interface ObjectCounts {
  /** What a reader could see. */
  readonly file: number
  readonly artifact: number
  /** All versions of these and of whatever lies beside them, and marks of deletions. */
  readonly version: number
  readonly upload: number
}

const deleteObjects = async (cell: Cell, berthId: BerthId, { signal }: Asked): Promise<ObjectCounts> => {
  const files = await emptyPrefix(cell, filesPrefixOf(berthId), { signal })
  const runs = await emptyPrefix(cell, runsPrefixOf(berthId), { signal })
  const rest = await emptyPrefix(cell, prefixOf(berthId), { signal })
  return {
    file: files.objects,
    artifact: runs.objects,
    version: files.versions + runs.versions + rest.versions,
    upload: files.uploads + runs.uploads + rest.uploads,
  }
}

const deletedOf = (
  { deployment }: Cell,
  berthId: BerthId,
  { stacks, leftovers, objects }: { stacks: number; leftovers: Leftovers; objects: ObjectCounts },
): DestroyReport['deleted'] => {
  const name = `${deployment}-${berthId}`
  // With a stack, its function, role and log group went too.
  return [
    { kind: 'stack', name, count: stacks },
    { kind: 'function', name, count: stacks + leftovers.function },
    { kind: 'role', name, count: stacks + leftovers.role },
    { kind: 'log_group', name: logGroupOf(deployment, berthId), count: stacks + leftovers.logGroup },
    { kind: 'file', name: `${prefixOf(berthId)}files/`, count: objects.file },
    { kind: 'artifact', name: `${prefixOf(berthId)}runs/`, count: objects.artifact },
    { kind: 'object_version', name: prefixOf(berthId), count: objects.version },
    { kind: 'upload', name: prefixOf(berthId), count: objects.upload },
  ]
}

const verifyAbsent = async (
  { cell, calls }: Pick<StackParts, 'cell' | 'calls'>,
  berthId: BerthId,
  asked: Asked,
): Promise<DestroyReport['verifiedAbsent']> => {
  const name = calls.named(berthId)
  const checks = [
    { kind: 'stack', name, there: (await calls.describe(name, asked)) !== null },
    { kind: 'function', name, there: (await lookAtFunction(cell, berthId, asked)) !== null },
    { kind: 'role', name, there: await isRoleThere(cell, berthId, asked) },
    {
      kind: 'log_group',
      name: logGroupOf(cell.deployment, berthId),
      there: await isLogGroupThere(cell, berthId, asked),
    },
    { kind: 'object', name: prefixOf(berthId), there: await hasObjects(cell, berthId, asked.signal) },
  ]
  const left = checks.filter(({ there }) => there)
  if (left.length === 0) return checks.map(({ kind, name: absent }) => ({ kind, name: absent }))
  const kinds = left.map(({ kind }) => kind).join(', ')
  throw new BerthError('backend_unavailable', `Still there after the deletion of berth ${berthId}: ${kinds}`, {
    retryAfterSeconds: 10,
    data: { cell: cell.name, left: kinds },
  })
}

/** Any version or delete marker under the prefix. */
export const hasObjects = async (cell: Cell, berthId: BerthId, signal: AbortSignal): Promise<boolean> => {
  const command = new ListObjectVersionsCommand({
    Bucket: cell.foundation.bucket,
    Prefix: prefixOf(berthId),
    MaxKeys: 1,
    EncodingType: 'url',
  })
  const { Versions = [], DeleteMarkers = [] } = await s3Call(
    cell,
    { operation: 'ListObjectVersions', signal },
    (options) => cell.clients.s3.send(command, options),
  )
  return Versions.length + DeleteMarkers.length > 0
}
