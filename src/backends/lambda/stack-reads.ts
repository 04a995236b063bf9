import {
  DescribeStackEventsCommand,
  DescribeStacksCommand,
  ListStacksCommand,
  type Stack,
  type StackEvent,
} from '@aws-sdk/client-cloudformation'
import { isStackMissing } from '../../aws/aws-errors.ts'
import type { Cell } from '../../aws/cell.ts'
import { pacedCall } from '../../aws/paced-call.ts'
import type { Priority } from '../../aws/pacer.ts'
import { BerthError } from '../../domain/errors.ts'
import { isStackStatus, type StackStatus } from './stack-status.ts'

export interface StackView {
  readonly id: string
  readonly name: string
  readonly status: StackStatus
  readonly tags: ReadonlyMap<string, string>
}

/** How urgent it is, and until when. */
export interface Asked {
  readonly priority: Priority
  readonly signal: AbortSignal
}

export interface StackReads {
  /** By name, or by the stack's own id, which outlives its deletion. Null when there is no such stack. */
  describe(stack: string, asked: Asked): Promise<StackView | null>
  /** Stacks of the account in these statuses, whoever's they are. */
  list(
    statuses: readonly StackStatus[],
    asked: Asked,
  ): AsyncIterable<{ readonly name: string; readonly status: StackStatus }>
  /** What the first failed resource said. */
  failureReason(stackId: string, asked: Asked): Promise<string>
}

type ReadCell = Pick<Cell, 'name' | 'pacer'> & { readonly clients: Pick<Cell['clients'], 'cloudFormation'> }

export const createStackReads = (cell: ReadCell): StackReads => {
  const client = cell.clients.cloudFormation
  const pool = 'stackReads'
  return {
    describe: async (stack, asked) => {
      const call = { pool, operation: 'DescribeStacks', stack, expected: isStackMissing, ...asked } as const
      try {
        const command = new DescribeStacksCommand({ StackName: stack })
        const { Stacks = [] } = await pacedCall(cell, call, (options) => client.send(command, options))
        return Stacks[0] === undefined ? null : viewOf(Stacks[0])
      } catch (error) {
        if (isStackMissing(error)) return null
        throw error
      }
    },

    async *list(statuses, asked) {
      for (let token: string | undefined; ;) {
        const command = new ListStacksCommand({ StackStatusFilter: [...statuses], NextToken: token })
        const call = { pool, operation: 'ListStacks', ...asked } as const
        const page = await pacedCall(cell, call, (options) => client.send(command, options))
        for (const { StackName, StackStatus } of page.StackSummaries ?? [])
          if (StackName !== undefined && isStackStatus(StackStatus)) yield { name: StackName, status: StackStatus }
        if (page.NextToken === undefined) return
        token = page.NextToken
      }
    },

    failureReason: async (stackId, asked) => {
      let reason: string | null = null
      for (let token: string | undefined; ;) {
        const command = new DescribeStackEventsCommand({ StackName: stackId, NextToken: token })
        const call = { pool, operation: 'DescribeStackEvents', stack: stackId, ...asked } as const
        const page = await pacedCall(cell, call, (options) => client.send(command, options))
        // Newest first: the last one told is the first that happened.
        reason = (page.StackEvents ?? []).flatMap(reasonOf).at(-1) ?? reason
        if (page.NextToken === undefined) return reason ?? 'CloudFormation gave no reason'
        token = page.NextToken
      }
    },
  }
}

/** Many failures only tell that another one canceled them. */
const reasonOf = ({ ResourceStatus = '' as never, ResourceStatusReason, LogicalResourceId }: StackEvent): string[] => {
  const status: string = ResourceStatus
  if (!status.endsWith('_FAILED') || ResourceStatusReason === undefined) return []
  return /cancell?ed/i.test(ResourceStatusReason) ? [] : [`${LogicalResourceId ?? 'stack'}: ${ResourceStatusReason}`]
}

const viewOf = ({ StackId, StackName = 'without a name', StackStatus, Tags = [] }: Stack): StackView => {
  if (!isStackStatus(StackStatus))
    throw new BerthError(
      'backend_unavailable',
      `Stack ${StackName} has a status that is not known: ${String(StackStatus)}`,
    )
  const tags = new Map(Tags.flatMap(({ Key, Value }) => (Key === undefined ? [] : [[Key, Value ?? ''] as const])))
  return { id: StackId ?? StackName, name: StackName, status: StackStatus, tags }
}
