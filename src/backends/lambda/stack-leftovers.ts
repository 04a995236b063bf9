import { DeleteLogGroupCommand } from '@aws-sdk/client-cloudwatch-logs'
import {
  DeleteRoleCommand,
  DeleteRolePolicyCommand,
  DetachRolePolicyCommand,
  ListAttachedRolePoliciesCommand,
  ListRolePoliciesCommand,
} from '@aws-sdk/client-iam'
import { DeleteFunctionCommand } from '@aws-sdk/client-lambda'
import { isNotFound } from '../../aws/aws-errors.ts'
import type { Cell } from '../../aws/cell.ts'
import { pacedCall, type PacedCall } from '../../aws/paced-call.ts'
import type { BerthId } from '../../domain/ids.ts'
import { isLogGroupThere, isRoleThere, lookAtFunction } from './berth-parts.ts'
import { logGroupOf, nameOf } from './names.ts'
import type { Asked } from './stack-reads.ts'

/** How many of each were there; a stack takes its parts with it, so normally none. */
export interface Leftovers {
  readonly function: number
  readonly role: number
  readonly logGroup: number
}

/**
 * Deletes what is left of a berth whose stack is gone: parts that a stack let go, or that lost their stack. Looks first: of functions and
 * roles CloudFormation's role is the master, and the server's own may not be allowed to delete them.
 */
export const deleteLeftovers = async (cell: Cell, berthId: BerthId, asked: Asked): Promise<Leftovers> => {
  const [view, role, logGroup] = await Promise.all([
    lookAtFunction(cell, berthId, asked),
    isRoleThere(cell, berthId, asked),
    isLogGroupThere(cell, berthId, asked),
  ])
  return {
    function: view === null ? 0 : await deleteFunction(cell, berthId, asked),
    role: role ? await deleteRole(cell, berthId, asked) : 0,
    logGroup: logGroup ? await deleteLogGroup(cell, berthId, asked) : 0,
  }
}

type Where = { readonly cell: Cell; readonly stack: string; readonly asked: Asked }

/** Null when there is no such thing. */
const tryTo = async <T>(
  { cell, stack, asked }: Where,
  call: Pick<PacedCall, 'pool' | 'operation'>,
  send: (options: { abortSignal: AbortSignal }) => Promise<T>,
): Promise<T | null> => {
  try {
    return await pacedCall(cell, { ...call, ...asked, stack, expected: isNotFound }, send)
  } catch (error) {
    if (isNotFound(error)) return null
    throw error
  }
}

const deleteFunction = async (cell: Cell, berthId: BerthId, asked: Asked): Promise<number> => {
  const stack = nameOf(cell.deployment, berthId)
  const command = new DeleteFunctionCommand({ FunctionName: stack })
  const call = { pool: 'lambda', operation: 'DeleteFunction' } as const
  const gone = await tryTo({ cell, stack, asked }, call, (options) => cell.clients.lambda.send(command, options))
  return gone === null ? 0 : 1
}

const deleteLogGroup = async (cell: Cell, berthId: BerthId, asked: Asked): Promise<number> => {
  const command = new DeleteLogGroupCommand({ logGroupName: logGroupOf(cell.deployment, berthId) })
  const call = { pool: 'logs', operation: 'DeleteLogGroup' } as const
  const where = { cell, stack: nameOf(cell.deployment, berthId), asked }
  return (await tryTo(where, call, (options) => cell.clients.logs.send(command, options))) === null ? 0 : 1
}

// IAM deletes a role only when it has no policies.
const deleteRole = async (cell: Cell, berthId: BerthId, asked: Asked): Promise<number> => {
  const { iam } = cell.clients
  const RoleName = nameOf(cell.deployment, berthId)
  const ask = <T>(operation: string, send: (options: { abortSignal: AbortSignal }) => Promise<T>) =>
    tryTo({ cell, stack: RoleName, asked }, { pool: 'iam', operation }, send)
  const inline = await ask('ListRolePolicies', (options) =>
    iam.send(new ListRolePoliciesCommand({ RoleName }), options),
  )
  if (inline === null) return 0
  for (const PolicyName of inline.PolicyNames ?? []) {
    const command = new DeleteRolePolicyCommand({ RoleName, PolicyName })
    await ask('DeleteRolePolicy', (options) => iam.send(command, options))
  }
  const attached = await ask('ListAttachedRolePolicies', (options) =>
    iam.send(new ListAttachedRolePoliciesCommand({ RoleName }), options),
  )
  for (const { PolicyArn } of attached?.AttachedPolicies ?? []) {
    const command = new DetachRolePolicyCommand({ RoleName, PolicyArn })
    await ask('DetachRolePolicy', (options) => iam.send(command, options))
  }
  const gone = await ask('DeleteRole', (options) => iam.send(new DeleteRoleCommand({ RoleName }), options))
  return gone === null ? 0 : 1
}
