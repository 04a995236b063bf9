import {
  ContinueUpdateRollbackCommand,
  CreateStackCommand,
  DeleteStackCommand,
  RollbackStackCommand,
  UpdateStackCommand,
} from '@aws-sdk/client-cloudformation'
import { randomUUID } from 'node:crypto'
import { isBusy, isNothingToUpdate, isStackThere } from '../../aws/aws-errors.ts'
import type { Cell } from '../../aws/cell.ts'
import { pacedCall, type PacedCall } from '../../aws/paced-call.ts'
import type { BerthId } from '../../domain/ids.ts'
import { nameOf } from './names.ts'
import { type Asked, createStackReads, type StackReads, type StackView } from './stack-reads.ts'
import { berthTags, tenantParameters, tenantTemplate } from './stack-template.ts'

export interface StackCalls extends StackReads {
  readonly named: (berthId: BerthId) => string
  /** The new stack's id; null when there is a stack of that name. */
  create(berthId: BerthId, imageUri: string, asked: Asked): Promise<string | null>
  /** False when the stack is as the template has it. */
  update(berthId: BerthId, imageUri: string, asked: Asked): Promise<boolean>
  /** False while something else is under way. */
  delete(stack: string, asked: Asked): Promise<boolean>
  /** Brings a stack whose update has not ended back to what it was. */
  rollBack(stack: StackView, asked: Asked): Promise<void>
}

/**
 * Requests of Lambda's shared 15/s that CloudFormation makes for one stack: to create it, the function and what the handler reads
 * afterwards; to delete it, the function. Estimated from the handler's permissions; AWS publishes no number.
 */
const LAMBDA_COST = { CreateStack: 3, UpdateStack: 3, DeleteStack: 1 } as const
const STACK_MINUTES = 15

/** CloudFormation in one cell, request by request. */
export const createStackCalls = (cell: Cell): StackCalls => {
  const client = cell.clients.cloudFormation
  const named = (berthId: BerthId) => nameOf(cell.deployment, berthId)
  return {
    ...createStackReads(cell),
    named,

    create: async (berthId, imageUri, asked) => {
      const onlyHere = { OnFailure: 'DELETE', TimeoutInMinutes: STACK_MINUTES } as const
      const command = new CreateStackCommand({ ...inputOf(cell, berthId, imageUri), ...onlyHere })
      const call = { operation: 'CreateStack', stack: named(berthId), ...asked } as const
      return unless(isStackThere, null, async (expected) => {
        const { StackId } = await change(cell, { ...call, expected }, (options) => client.send(command, options))
        return StackId ?? named(berthId)
      })
    },

    update: async (berthId, imageUri, asked) => {
      const command = new UpdateStackCommand(inputOf(cell, berthId, imageUri))
      const call = { operation: 'UpdateStack', stack: named(berthId), ...asked } as const
      return unless(isNothingToUpdate, false, async (expected) => {
        await change(cell, { ...call, expected }, (options) => client.send(command, options))
        return true
      })
    },

    delete: async (stack, asked) => {
      const command = new DeleteStackCommand({ StackName: stack, ClientRequestToken: randomUUID() })
      return unless(isBusy, false, async (expected) => {
        const call = { operation: 'DeleteStack', stack, expected, ...asked } as const
        await change(cell, call, (options) => client.send(command, options))
        return true
      })
    },

    rollBack: async ({ id, status }, asked) => {
      const input = { StackName: id, RoleARN: cell.foundation.stackRoleArn, ClientRequestToken: randomUUID() }
      const failed = status === 'UPDATE_ROLLBACK_FAILED'
      const operation = failed ? 'ContinueUpdateRollback' : 'RollbackStack'
      await change<unknown>(cell, { operation, stack: id, ...asked }, (options) =>
        failed
          ? client.send(new ContinueUpdateRollbackCommand(input), options)
          : client.send(new RollbackStackCommand(input), options),
      )
    },
  }
}

const inputOf = (cell: Cell, berthId: BerthId, imageUri: string) => ({
  StackName: nameOf(cell.deployment, berthId),
  TemplateBody: tenantTemplate(),
  Parameters: tenantParameters(cell, berthId, imageUri),
  Capabilities: ['CAPABILITY_NAMED_IAM' as const],
  RoleARN: cell.foundation.stackRoleArn,
  Tags: berthTags(cell.deployment, berthId),
  // One for all tries of this request: a second arrival does nothing.
  ClientRequestToken: randomUUID(),
})

/** Reserves what CloudFormation will ask of Lambda, then asks CloudFormation. */
const change = async <T>(
  cell: Cell,
  call: Omit<PacedCall, 'pool'>,
  send: (options: { abortSignal: AbortSignal }) => Promise<T>,
): Promise<T> => {
  const { priority, signal, operation } = call
  const cost = (LAMBDA_COST as Readonly<Record<string, number>>)[operation] ?? 1
  await cell.pacer.take('lambda', { priority, cost, signal })
  return pacedCall(cell, { ...call, pool: 'stackChanges' }, send)
}

const unless = async <T>(
  isExpected: (error: unknown) => boolean,
  otherwise: T,
  work: (expected: (error: unknown) => boolean) => Promise<T>,
): Promise<T> => {
  try {
    return await work(isExpected)
  } catch (error) {
    if (isExpected(error)) return otherwise
    throw error
  }
}
