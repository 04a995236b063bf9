import type { Cell } from '../../aws/cell.ts'
import { BerthError } from '../../domain/errors.ts'
import type { BerthId } from '../../domain/ids.ts'
import { BERTH_TAG, DEPLOYMENT_TAG } from './names.ts'
import { deleteRolePolicy, REVOKED_POLICY, SUSPENDED_POLICY } from './role-policies.ts'
import type { StackCalls } from './stack-calls.ts'
import type { Asked, StackView } from './stack-reads.ts'
import type { StackWatch } from './stack-watch.ts'

const TRIES = 3

export interface StackParts {
  readonly cell: Cell
  readonly calls: StackCalls
  readonly watch: StackWatch
}

/** Deletes the stack and waits until it is gone. @throws {BerthError} backend_unavailable with the stack's own reason */
export const removeStack = async (
  { cell, calls, watch }: StackParts,
  { berthId, stack }: { berthId: BerthId; stack: StackView },
  asked: Asked,
): Promise<void> => {
  assertOurs(cell, berthId, stack)
  for (let left: StackView | null = stack, attempt = 1; left !== null; attempt += 1) {
    if (attempt > TRIES) throw await notDeleted({ cell, calls }, left, asked)
    // IAM deletes no role that has policies which the stack does not know; only a second try needs them gone.
    if (left.status === 'DELETE_FAILED') await freeRole(cell, berthId, asked)
    if (left.status !== 'DELETE_IN_PROGRESS') await calls.delete(left.id, asked)
    left = await watch.settled(left, asked)
  }
}

/** Names are random, so a stack of this name that is not the berth's was made by someone else on purpose. */
export const assertOurs = ({ deployment, name }: Cell, berthId: BerthId, { tags, ...stack }: StackView): void => {
  // A change set that was never executed leaves a stack without tags.
  if (stack.status === 'REVIEW_IN_PROGRESS') return
  if (tags.get(BERTH_TAG) === berthId && tags.get(DEPLOYMENT_TAG) === deployment) return
  throw new BerthError(
    'backend_unavailable',
    `Stack ${stack.name} in cell ${name} does not bear the tags of its berth`,
    {
      data: { cell: name, stack: stack.name },
    },
  )
}

const freeRole = async (cell: Cell, berthId: BerthId, asked: Asked): Promise<void> => {
  for (const policy of [REVOKED_POLICY, SUSPENDED_POLICY]) await deleteRolePolicy(cell, { berthId, policy }, asked)
}

const notDeleted = async (
  { cell, calls }: Pick<StackParts, 'cell' | 'calls'>,
  stack: StackView,
  asked: Asked,
): Promise<BerthError> => {
  const reason = await calls.failureReason(stack.id, asked)
  return new BerthError('backend_unavailable', `Stack ${stack.name} cannot be deleted: ${reason}`, {
    retryAfterSeconds: 60,
    data: { cell: cell.name, stack: stack.name, status: stack.status, reason },
  })
}
