import { BerthError } from '../../domain/errors.ts'
import type { BerthId } from '../../domain/ids.ts'
import { lookAtFunction } from './berth-parts.ts'
import { standingOf, suspendBerth, type StandingParts } from './berth-standing.ts'
import type { Asked, StackView } from './stack-reads.ts'
import { assertOurs, type StackParts } from './stack-removal.ts'
import { isSettled, phaseOf } from './stack-status.ts'

/** `unchanged`: the stack was as the present template has it. */
export type UpgradeOutcome = 'upgraded' | 'unchanged'

/**
 * Brings one stack to the present template and settings. It names the image that the function really runs: CloudFormation knows only the
 * image of its last change and would put that one back. @throws {BerthError} not_found, backend_unavailable with the stack's own reason
 */
export const upgradeStack = async (
  parts: StackParts & StandingParts,
  berthId: BerthId,
  asked: Asked,
): Promise<UpgradeOutcome> => {
  const { cell, calls, watch } = parts
  const stack = await restingStack(parts, berthId, asked)
  const standing = await standingOf(parts, berthId, asked)
  const image = (await lookAtFunction(cell, berthId, asked))?.image ?? null
  if (image === null) throw notWhole(stack.name, 'it has no function')
  if (!(await calls.update(berthId, image, asked))) return 'unchanged'
  const after = await watch.settled(stack, asked)
  // A template that changes the concurrency gives a suspended berth its own back.
  if (standing === 'suspended' || standing === 'half_suspended') await suspendBerth(parts, berthId, asked)
  if (after?.status === 'UPDATE_COMPLETE') return 'upgraded'
  const reason = await calls.failureReason(stack.id, asked)
  throw new BerthError('backend_unavailable', `Stack ${stack.name} was not upgraded: ${reason}`, {
    data: { cell: cell.name, stack: stack.name, status: after?.status, reason },
  })
}

const restingStack = async (parts: StackParts, berthId: BerthId, asked: Asked): Promise<StackView> => {
  const { cell, calls, watch } = parts
  const name = calls.named(berthId)
  let stack = await calls.describe(name, asked)
  if (stack !== null && phaseOf(stack.status) === 'unfinished_update') await calls.rollBack(stack, asked)
  if (stack !== null && phaseOf(stack.status) !== 'whole') stack = await watch.settled(stack, asked)
  if (stack === null || !isSettled(phaseOf(stack.status)))
    throw new BerthError('not_found', `There is no stack ${name}`)
  assertOurs(cell, berthId, stack)
  if (phaseOf(stack.status) !== 'whole') throw notWhole(name, `it is ${stack.status}`)
  return stack
}

const notWhole = (stack: string, why: string): BerthError =>
  new BerthError('backend_unavailable', `Stack ${stack} cannot be upgraded: ${why}; run \`berth reconcile\` first`)
