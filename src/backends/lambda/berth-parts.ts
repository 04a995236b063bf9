import { DescribeLogGroupsCommand } from '@aws-sdk/client-cloudwatch-logs'
import { GetRoleCommand } from '@aws-sdk/client-iam'
import { GetFunctionCommand, type GetFunctionResponse } from '@aws-sdk/client-lambda'
import { isNotFound } from '../../aws/aws-errors.ts'
import type { Cell } from '../../aws/cell.ts'
import { pacedCall } from '../../aws/paced-call.ts'
import type { BerthId } from '../../domain/ids.ts'
import { logGroupOf, nameOf } from './names.ts'
import type { Asked } from './stack-reads.ts'

export interface FunctionView {
  /** Lambda's own word: Pending, Active, Inactive, Failed. */
  readonly state: string
  readonly stateReason: string
  readonly updating: boolean
  /** `repo@sha256:…` that really runs, whatever the stack's parameter says. */
  readonly image: string | null
  readonly reservedConcurrency: number | null
}

/** Null when there is no such function. From the pool of its own, 100/s. */
export const lookAtFunction = async (cell: Cell, berthId: BerthId, asked: Asked): Promise<FunctionView | null> => {
  const name = nameOf(cell.deployment, berthId)
  const call = { pool: 'getFunction', operation: 'GetFunction', stack: name, expected: isNotFound, ...asked } as const
  try {
    const command = new GetFunctionCommand({ FunctionName: name })
    return functionView(await pacedCall(cell, call, (options) => cell.clients.lambda.send(command, options)))
  } catch (error) {
    if (isNotFound(error)) return null
    throw error
  }
}

const functionView = ({ Configuration, Code, Concurrency }: GetFunctionResponse): FunctionView => ({
  // Lambda leaves the state out of old functions, which are active.
  state: Configuration?.State ?? 'Active',
  stateReason: [Configuration?.StateReasonCode, Configuration?.StateReason].filter(Boolean).join(': '),
  updating: Configuration?.LastUpdateStatus === 'InProgress',
  image: Code?.ResolvedImageUri ?? Code?.ImageUri ?? null,
  reservedConcurrency: Concurrency?.ReservedConcurrentExecutions ?? null,
})

export const isRoleThere = async (cell: Cell, berthId: BerthId, asked: Asked): Promise<boolean> => {
  const RoleName = nameOf(cell.deployment, berthId)
  const call = { pool: 'iam', operation: 'GetRole', stack: RoleName, expected: isNotFound, ...asked } as const
  try {
    await pacedCall(cell, call, (options) => cell.clients.iam.send(new GetRoleCommand({ RoleName }), options))
    return true
  } catch (error) {
    if (isNotFound(error)) return false
    throw error
  }
}

export const isLogGroupThere = async (cell: Cell, berthId: BerthId, asked: Asked): Promise<boolean> => {
  const name = logGroupOf(cell.deployment, berthId)
  const call = {
    pool: 'logs',
    operation: 'DescribeLogGroups',
    stack: nameOf(cell.deployment, berthId),
    ...asked,
  } as const
  const command = new DescribeLogGroupsCommand({ logGroupNamePrefix: name })
  const { logGroups = [] } = await pacedCall(cell, call, (options) => cell.clients.logs.send(command, options))
  return logGroups.some(({ logGroupName }) => logGroupName === name)
}

/** Whether what the stack made is still there; CloudFormation does not notice by itself when it is not. */
export const arePartsThere = async (cell: Cell, berthId: BerthId, asked: Asked): Promise<boolean> => {
  const parts = [
    lookAtFunction(cell, berthId, asked).then((view) => view !== null),
    isRoleThere(cell, berthId, asked),
    isLogGroupThere(cell, berthId, asked),
  ]
  return (await Promise.all(parts)).every(Boolean)
}
