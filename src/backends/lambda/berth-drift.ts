import { isDeepStrictEqual } from 'node:util'
import { DescribeLogGroupsCommand } from '@aws-sdk/client-cloudwatch-logs'
import {
  GetRoleCommand,
  GetRolePolicyCommand,
  ListAttachedRolePoliciesCommand,
  ListRolePoliciesCommand,
} from '@aws-sdk/client-iam'
import { GetFunctionCommand } from '@aws-sdk/client-lambda'
import type { Cell } from '../../aws/cell.ts'
import { pacedCall, type PacedCall } from '../../aws/paced-call.ts'
import type { BerthId } from '../../domain/ids.ts'
import { logGroupOf, nameOf } from './names.ts'
import { NETWORK_POLICY, OWN_POLICY, ownPolicy, ownRoleArn, ownTrust } from './own-policy.ts'
import { REVOKED_POLICY, SUSPENDED_POLICY } from './role-policies.ts'
import type { Asked } from './stack-reads.ts'
import { berthTags } from './stack-template.ts'

interface Look {
  readonly cell: Cell
  readonly berthId: BerthId
  readonly asked: Asked
}

/**
 * In which of its settings and rights a whole berth differs from the cell's. Six requests, four of them to IAM at 10/s: some 12 minutes for
 * 1,800 berths; one or two more where somebody is or was suspended. CloudFormation's own drift detection would take from Lambda's 15 requests a second.
 */
export const driftOf = async (cell: Cell, berthId: BerthId, asked: Asked): Promise<readonly string[]> => {
  const look = { cell, berthId, asked }
  const found = await Promise.all([functionDrift(look), retentionDrift(look), roleDrift(look), policyDrift(look)])
  return found.flat()
}

const ask = <T>(
  { cell, berthId, asked }: Look,
  call: Pick<PacedCall, 'pool' | 'operation'>,
  send: (options: { abortSignal: AbortSignal }) => Promise<T>,
): Promise<T> => pacedCall(cell, { ...call, ...asked, stack: nameOf(cell.deployment, berthId) }, send)

const differing = (pairs: readonly (readonly [what: string, is: unknown, wanted: unknown])[]): readonly string[] =>
  pairs.flatMap(([what, is, wanted]) => (is === wanted ? [] : [`${what}: ${String(is)}, wanted ${String(wanted)}`]))

const functionDrift = async (look: Look): Promise<readonly string[]> => {
  const { cell, berthId } = look
  const command = new GetFunctionCommand({ FunctionName: nameOf(cell.deployment, berthId) })
  const {
    Configuration = {},
    Concurrency,
    Tags = {},
  } = await ask(look, { pool: 'getFunction', operation: 'GetFunction' }, (options) =>
    cell.clients.lambda.send(command, options),
  )
  const { functions, foundation } = cell
  const { SubnetIds, SecurityGroupIds } = Configuration.VpcConfig ?? {}
  const reserved = Concurrency?.ReservedConcurrentExecutions ?? null
  return differing([
    // Another berth's would give the code here that berth's files.
    ['role', Configuration.Role, ownRoleArn(cell, berthId)],
    ['memory MiB', Configuration.MemorySize, functions.memoryMiB],
    ['time-out seconds', Configuration.Timeout, functions.timeoutSeconds],
    ['ephemeral storage MiB', Configuration.EphemeralStorage?.Size, functions.ephemeralStorageMiB],
    ['subnets', listed(SubnetIds), listed(foundation.subnetIds)],
    ['security groups', listed(SecurityGroupIds), listed(foundation.securityGroupIds)],
    ...tagPairs(look, 'function', Tags),
    // 0 is a suspension's, which reconcile compares with the row.
    ...(reserved === 0 ? [] : ([['reserved concurrency', reserved, functions.reservedConcurrency]] as const)),
  ])
}

const retentionDrift = async (look: Look): Promise<readonly string[]> => {
  const { cell, berthId } = look
  const logGroupNamePrefix = logGroupOf(cell.deployment, berthId)
  const { logGroups = [] } = await ask(look, { pool: 'logs', operation: 'DescribeLogGroups' }, (options) =>
    cell.clients.logs.send(new DescribeLogGroupsCommand({ logGroupNamePrefix }), options),
  )
  const days = logGroups.find(({ logGroupName }) => logGroupName === logGroupNamePrefix)?.retentionInDays
  return differing([['log retention days', days, cell.functions.logRetentionDays]])
}

const roleDrift = async (look: Look): Promise<readonly string[]> => {
  const { cell, berthId } = look
  const command = new GetRoleCommand({ RoleName: nameOf(cell.deployment, berthId) })
  const { Role } = await ask(look, { pool: 'iam', operation: 'GetRole' }, (options) =>
    cell.clients.iam.send(command, options),
  )
  const arn = Role?.PermissionsBoundary?.PermissionsBoundaryArn
  const tags = Object.fromEntries((Role?.Tags ?? []).map(({ Key = '', Value }) => [Key, Value]))
  const trust = parseDocument(Role?.AssumeRolePolicyDocument ?? '')
  return [
    ...differing([['permissions boundary', arn, cell.foundation.boundaryArn], ...tagPairs(look, 'role', tags)]),
    ...(isDeepStrictEqual(trust, ownTrust(cell, berthId))
      ? []
      : ['who may act as the role is not as the template has it']),
  ]
}

/** The boundary reads the berth's tag from the role; rebuilding a store reads both. */
const tagPairs = ({ cell, berthId }: Look, of: string, tags: Readonly<Record<string, string | undefined>>) =>
  berthTags(cell.deployment, berthId).map(
    ({ Key = '', Value }) => [`tag ${Key} of the ${of}`, tags[Key], Value] as const,
  )

const listed = (ids: readonly string[] = []): string => ids.toSorted().join()

const policyDrift = async (look: Look): Promise<readonly string[]> => {
  const { cell, berthId } = look
  const RoleName = nameOf(cell.deployment, berthId)
  const iam = <T>(operation: string, send: (options: { abortSignal: AbortSignal }) => Promise<T>) =>
    ask(look, { pool: 'iam', operation }, send)
  const { iam: client } = cell.clients
  const inline = await iam('ListRolePolicies', (options) =>
    client.send(new ListRolePoliciesCommand({ RoleName }), options),
  )
  const attached = await iam('ListAttachedRolePolicies', (options) =>
    client.send(new ListAttachedRolePoliciesCommand({ RoleName }), options),
  )
  const names = (inline.PolicyNames ?? []).toSorted()
  const known = new Set([
    OWN_POLICY,
    SUSPENDED_POLICY,
    REVOKED_POLICY,
    ...(cell.foundation.subnetIds.length > 0 ? [NETWORK_POLICY] : []),
  ])
  const strange = [
    ...names.filter((name) => !known.has(name)),
    ...(attached.AttachedPolicies ?? []).map(({ PolicyName = '' }) => PolicyName),
  ].map((name) => `policy ${name} is not the template’s`)
  const read = async (PolicyName: string): Promise<unknown> => {
    const command = new GetRolePolicyCommand({ RoleName, PolicyName })
    const { PolicyDocument = '' } = await iam('GetRolePolicy', (options) => client.send(command, options))
    return parseDocument(PolicyDocument)
  }
  for (const name of names.filter((one) => one === SUSPENDED_POLICY || one === REVOKED_POLICY))
    if (!onlyDenies(await read(name))) strange.push(`policy ${name} does more than to deny`)
  if (!names.includes(OWN_POLICY)) return [...strange, `policy ${OWN_POLICY} is missing`]
  return isDeepStrictEqual(await read(OWN_POLICY), ownPolicy(cell, berthId))
    ? strange
    : [...strange, `policy ${OWN_POLICY} is not as the template has it`]
}

const onlyDenies = (document: unknown): boolean => {
  const { Statement } = (document ?? {}) as { Statement?: unknown }
  return Array.isArray(Statement) && Statement.every((one: { Effect?: unknown }) => one.Effect === 'Deny')
}

/** IAM answers percent-encoded. */
const parseDocument = (text: string): unknown => {
  try {
    return JSON.parse(decodeURIComponent(text))
  } catch {
    return null
  }
}
