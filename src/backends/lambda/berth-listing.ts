import { DescribeLogGroupsCommand } from '@aws-sdk/client-cloudwatch-logs'
import { ListRolesCommand } from '@aws-sdk/client-iam'
import { ListFunctionsCommand } from '@aws-sdk/client-lambda'
import { ListObjectsV2Command } from '@aws-sdk/client-s3'
import type { Cell } from '../../aws/cell.ts'
import { pacedCall, type PacedCall } from '../../aws/paced-call.ts'
import { type BerthId, berthIdSchema } from '../../domain/ids.ts'
import type { BerthResources } from '../../domain/ports/berths.ts'
import { BERTHS_PREFIX, berthIdOf, logGroupOf, rolePathOf } from './names.ts'
import type { StackCalls } from './stack-calls.ts'
import type { Asked } from './stack-reads.ts'
import { s3Call } from './s3-call.ts'
import { livingStatuses, phaseOf } from './stack-status.ts'

type Part = 'stack' | 'function' | 'role' | 'logGroup' | 'objects'
type Found = Map<BerthId, Set<Part>>

/** What a whole berth has; objects come with its first file. */
const needed: readonly Part[] = ['stack', 'function', 'role', 'logGroup']

/**
 * Every berth of the deployment of which anything is left: five listings side by side, so that a part which lost its stack, or files which
 * lost their function, are seen too. Some 20 bytes of ids per berth and part stay in memory meanwhile.
 */
export async function* listBerths(cell: Cell, calls: StackCalls, asked: Asked): AsyncIterable<BerthResources> {
  const found: Found = new Map()
  await Promise.all([
    addAll(found, 'stack', wholeStacks(cell, calls, asked)),
    addAll(found, 'function', functionsOf(cell, asked)),
    addAll(found, 'role', rolesOf(cell, asked)),
    addAll(found, 'logGroup', logGroupsOf(cell, asked)),
    addAll(found, 'objects', prefixesOf(cell, asked.signal)),
  ])
  for (const [berthId, parts] of found) yield { berthId, partial: !needed.every((part) => parts.has(part)) }
}

interface Sighting {
  readonly berthId: BerthId | null
  /** Seen, but not fit to be counted as the part. */
  readonly broken?: boolean
}

const addAll = async (found: Found, part: Part, sightings: AsyncIterable<Sighting>): Promise<void> => {
  for await (const { berthId, broken = false } of sightings) {
    if (berthId === null) continue
    const parts = found.get(berthId) ?? new Set<Part>()
    found.set(berthId, broken ? parts : parts.add(part))
  }
}

async function* wholeStacks(cell: Cell, calls: StackCalls, asked: Asked): AsyncIterable<Sighting> {
  for await (const { name, status } of calls.list(livingStatuses, asked))
    yield { berthId: berthIdOf(cell.deployment, name), broken: phaseOf(status) !== 'whole' }
}

/** Pages until there is no further marker. */
async function* pagesOf<T>(
  cell: Cell,
  call: PacedCall,
  {
    send,
    next,
  }: {
    send: (marker: string | undefined, options: { abortSignal: AbortSignal }) => Promise<T>
    next: (page: T) => string | undefined
  },
): AsyncIterable<T> {
  for (let marker: string | undefined; ;) {
    const page: T = await pacedCall(cell, call, (options) => send(marker, options))
    yield page
    marker = next(page)
    if (marker === undefined || marker === '') return
  }
}

async function* functionsOf(cell: Cell, asked: Asked): AsyncIterable<Sighting> {
  const call = { pool: 'lambda', operation: 'ListFunctions', ...asked } as const
  const pages = pagesOf(cell, call, {
    send: (Marker, options) => cell.clients.lambda.send(new ListFunctionsCommand({ Marker }), options),
    next: ({ NextMarker }) => NextMarker,
  })
  for await (const { Functions = [] } of pages)
    for (const { FunctionName = '' } of Functions) yield { berthId: berthIdOf(cell.deployment, FunctionName) }
}

async function* rolesOf(cell: Cell, asked: Asked): AsyncIterable<Sighting> {
  const call = { pool: 'iam', operation: 'ListRoles', ...asked } as const
  const PathPrefix = rolePathOf(cell.deployment)
  const pages = pagesOf(cell, call, {
    send: (Marker, options) => cell.clients.iam.send(new ListRolesCommand({ PathPrefix, Marker }), options),
    next: ({ IsTruncated, Marker }) => (IsTruncated === true ? Marker : undefined),
  })
  for await (const { Roles = [] } of pages)
    for (const { RoleName = '' } of Roles) yield { berthId: berthIdOf(cell.deployment, RoleName) }
}

async function* logGroupsOf(cell: Cell, asked: Asked): AsyncIterable<Sighting> {
  const call = { pool: 'logs', operation: 'DescribeLogGroups', ...asked } as const
  const prefix = logGroupOf(cell.deployment, '' as BerthId)
  const pages = pagesOf(cell, call, {
    send: (nextToken, options) =>
      cell.clients.logs.send(new DescribeLogGroupsCommand({ logGroupNamePrefix: prefix, nextToken }), options),
    next: ({ nextToken }) => nextToken,
  })
  for await (const { logGroups = [] } of pages)
    for (const { logGroupName = '' } of logGroups) yield { berthId: idOrNull(logGroupName.slice(prefix.length)) }
}

async function* prefixesOf(cell: Cell, signal: AbortSignal): AsyncIterable<Sighting> {
  for (let token: string | undefined; ;) {
    const command = new ListObjectsV2Command({
      Bucket: cell.foundation.bucket,
      Prefix: BERTHS_PREFIX,
      Delimiter: '/',
      ContinuationToken: token,
    })
    const page = await s3Call(cell, { operation: 'ListObjectsV2', signal }, (options) =>
      cell.clients.s3.send(command, options),
    )
    for (const { Prefix = '' } of page.CommonPrefixes ?? [])
      yield { berthId: idOrNull(Prefix.slice(BERTHS_PREFIX.length, -1)) }
    if (page.IsTruncated !== true) return
    token = page.NextContinuationToken
  }
}

const idOrNull = (text: string): BerthId | null => berthIdSchema.safeParse(text).data ?? null
