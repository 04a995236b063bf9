import type { WantedImage } from '../../aws/wanted-image.ts'
import { BerthError } from '../../domain/errors.ts'
import type { BerthId } from '../../domain/ids.ts'
import type { Clock } from '../../domain/ports/clock.ts'
import { arePartsThere, lookAtFunction } from './berth-parts.ts'
import { ensureStack } from './create-stack.ts'
import type { Asked } from './stack-reads.ts'
import { removeStack, type StackParts } from './stack-removal.ts'

export interface CreateParts extends StackParts {
  readonly clock: Clock
  readonly wantedImage: Pick<WantedImage, 'read'>
}

const FUNCTION_POLL_MS = 1500

/** Makes the stack, or what is missing of it, and waits until the function takes invokes. */
export const createBerth = async (parts: CreateParts, berthId: BerthId, asked: Asked): Promise<void> => {
  const image = () => imageToRun(parts, asked.signal)
  let made = await ensureStack(parts, { berthId, image }, asked)
  // Somebody deleted a part behind CloudFormation's back, and an update would not bring it back. Files are not in the stack.
  if (!made.fresh && !(await arePartsThere(parts.cell, berthId, asked))) {
    await replaceStack(parts, { berthId, stackId: made.stack.id }, asked)
    made = await ensureStack(parts, { berthId, image }, asked)
  }
  await untilFunctionIsUp(parts, { berthId, stackId: made.stack.id }, asked)
}

const imageToRun = async ({ cell, wantedImage }: CreateParts, signal: AbortSignal): Promise<string> => {
  const wanted = await wantedImage.read({ signal })
  if (wanted !== null) return wanted.image
  const detail = `Cell ${cell.name} has no runner image yet: push one to ${cell.foundation.repositoryUri}, then berth init --image <repository>@sha256:<digest>`
  throw new BerthError('backend_unavailable', detail, {
    retryAfterSeconds: 60,
    data: { cell: cell.name, forOperators: true },
  })
}

interface Which {
  readonly berthId: BerthId
  readonly stackId: string
}

const replaceStack = async (parts: CreateParts, { berthId, stackId }: Which, asked: Asked): Promise<void> => {
  const stack = await parts.calls.describe(stackId, asked)
  if (stack !== null) await removeStack(parts, { berthId, stack }, asked)
}

/** CloudFormation waits for the function too, but a berth that was whole long ago may have changed since. */
const untilFunctionIsUp = async (parts: CreateParts, which: Which, asked: Asked): Promise<void> => {
  for (;;) {
    const view = await lookAtFunction(parts.cell, which.berthId, asked)
    if (view === null) throw new BerthError('backend_unavailable', 'The function went away while it was being made')
    // Inactive: nobody used it for weeks; the first invoke wakes it.
    if (view.state !== 'Pending' && view.state !== 'Failed') return
    if (view.state === 'Failed') {
      // "When creation failed: delete and create anew."
      await replaceStack(parts, which, asked)
      const data = { cell: parts.cell.name, stack: parts.calls.named(which.berthId), reason: view.stateReason }
      throw new BerthError('provisioning_failed', `The function failed: ${view.stateReason}`, { data })
    }
    await parts.clock.sleep(FUNCTION_POLL_MS, asked.signal)
  }
}
