import { isRoleNotAssumableYet, isThrottlingReason } from '../../aws/aws-errors.ts'
import type { Cell } from '../../aws/cell.ts'
import { BerthError } from '../../domain/errors.ts'
import type { BerthId } from '../../domain/ids.ts'
import type { Asked, StackView } from './stack-reads.ts'
import { assertOurs, removeStack, type StackParts } from './stack-removal.ts'
import { phaseOf } from './stack-status.ts'

/** A stack that keeps changing its mind is somebody else's doing. */
const MOST_STEPS = 8

interface Wanted {
  readonly berthId: BerthId
  /** Asked for only when a stack is made. */
  readonly image: () => Promise<string>
}

export interface WholeStack {
  readonly stack: { readonly id: string; readonly name: string }
  /** Made in this call, so that its parts need no further look. */
  readonly fresh: boolean
}

/**
 * Brings the berth's stack to whole from whatever state it is in. @throws {BerthError} provisioning_failed, backend_unavailable with the
 * stack's own reason
 */
export const ensureStack = async (parts: StackParts, wanted: Wanted, asked: Asked): Promise<WholeStack> => {
  const { calls } = parts
  const name = calls.named(wanted.berthId)
  for (let step = 0; step < MOST_STEPS; step += 1) {
    const made = await makeStack(parts, wanted, asked)
    if (made !== null) return { stack: { id: made, name }, fresh: true }
    const stack = await calls.describe(name, asked)
    if (stack === null) continue
    assertOurs(parts.cell, wanted.berthId, stack)
    if (await advance(parts, { berthId: wanted.berthId, stack }, asked)) return { stack, fresh: false }
  }
  throw new BerthError('backend_unavailable', `Stack ${name} does not come to rest`, { retryAfterSeconds: 30 })
}

/** One step towards a whole stack; true when it is whole. */
const advance = async (
  parts: StackParts,
  { berthId, stack }: { berthId: BerthId; stack: StackView },
  asked: Asked,
): Promise<boolean> => {
  const phase = phaseOf(stack.status)
  switch (phase) {
    case 'whole':
      return true
    case 'working':
    case 'deleting':
    case 'unfinished_update': {
      if (phase === 'unfinished_update') await parts.calls.rollBack(stack, asked)
      const after = await parts.watch.settled(stack, asked)
      return after !== null && phaseOf(after.status) === 'whole'
    }
    case 'spoiled':
      await removeStack(parts, { berthId, stack }, asked)
      return false
    case 'gone':
      return false
    default:
      return phase satisfies never
  }
}

/** Id of a whole stack that was made now; null when there was one of that name, whatever its state. */
const makeStack = async (parts: StackParts, { berthId, image }: Wanted, asked: Asked): Promise<string | null> => {
  const { cell, calls, watch } = parts
  const id = await calls.create(berthId, await image(), asked)
  if (id === null) return null
  const stack = await watch.settled({ id, name: calls.named(berthId) }, asked)
  if (stack !== null && phaseOf(stack.status) === 'whole') return id
  throw notMade(cell, { berthId: calls.named(berthId), id }, await calls.failureReason(id, asked))
}

const notMade = (cell: Cell, stack: { berthId: string; id: string }, reason: string): BerthError => {
  const data = { cell: cell.name, stack: stack.berthId, stackId: stack.id, reason }
  // CloudFormation's requests to Lambda count against the same 15/s.
  if (isThrottlingReason(reason)) cell.pacer.rejected('lambda')
  return isThrottlingReason(reason) || isRoleNotAssumableYet(reason)
    ? new BerthError('backend_unavailable', `The stack was not made this time: ${reason}`, {
        retryAfterSeconds: 30,
        data,
      })
    : new BerthError('provisioning_failed', `The stack was not made: ${reason}`, { data })
}
