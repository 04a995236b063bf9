import {
  DeleteFunctionConcurrencyCommand,
  PutFunctionConcurrencyCommand,
  UpdateFunctionCodeCommand,
} from '@aws-sdk/client-lambda'
import { isBusy, isNotFound } from '../../aws/aws-errors.ts'
import type { Cell } from '../../aws/cell.ts'
import { pacedCall } from '../../aws/paced-call.ts'
import type { BerthId } from '../../domain/ids.ts'
import type { Standing } from '../../domain/ports/berths.ts'
import type { Clock } from '../../domain/ports/clock.ts'
import { lookAtFunction } from './berth-parts.ts'
import { nameOf } from './names.ts'
import {
  deleteRolePolicy,
  hasRolePolicy,
  putRolePolicy,
  REVOKED_POLICY,
  revokedDocument,
  SUSPENDED_POLICY,
  suspendedDocument,
} from './role-policies.ts'
import type { Asked } from './stack-reads.ts'

export interface StandingParts {
  readonly cell: Cell
  readonly clock: Clock
}

const BUSY_POLL_MS = 1000

/** The policy that says "suspended" is written last, and concurrency is given back last: whatever is cut off shows as half. */
export const standingOf = async ({ cell }: StandingParts, berthId: BerthId, asked: Asked): Promise<Standing> => {
  const view = await lookAtFunction(cell, berthId, asked)
  if (view === null) return 'absent'
  if (view.reservedConcurrency !== 0) return 'running'
  const suspended = await hasRolePolicy(cell, { berthId, policy: SUSPENDED_POLICY }, asked)
  return suspended ? 'suspended' : 'half_suspended'
}

/** No new environment starts, and no credential that is out works. A berth that is not there has nothing to lose. */
export const suspendBerth = async (parts: StandingParts, berthId: BerthId, asked: Asked): Promise<void> => {
  const { cell, clock } = parts
  const standing = await standingOf(parts, berthId, asked)
  if (standing === 'absent' || standing === 'suspended') return
  await unlessGone(async () => {
    const answeredAt = await setConcurrency(parts, { berthId, reserved: 0 }, asked)
    const revoked = revokedDocument(endOfSecond(answeredAt ?? clock.now()))
    await putRolePolicy(cell, { berthId, policy: REVOKED_POLICY, document: revoked }, asked)
    await putRolePolicy(cell, { berthId, policy: SUSPENDED_POLICY, document: suspendedDocument }, asked)
  })
}

/**
 * AWS's time is in whole seconds, and so is that of sessions. Not this machine's: with a clock that is slow, sessions would live on, and with
 * one that is fast, those of a resumed berth would be dead.
 */
const endOfSecond = (moment: Date): Date => new Date((Math.floor(moment.getTime() / 1000) + 1) * 1000)

/** Environments that rested since before the suspension hold credentials that stay revoked, so they are replaced first. */
export const resumeBerth = async (parts: StandingParts, berthId: BerthId, asked: Asked): Promise<void> => {
  const { cell } = parts
  const standing = await standingOf(parts, berthId, asked)
  if (standing === 'absent' || standing === 'running') return
  await unlessGone(async () => {
    await replaceEnvironments(parts, berthId, asked)
    await deleteRolePolicy(cell, { berthId, policy: SUSPENDED_POLICY }, asked)
    await setConcurrency(parts, { berthId, reserved: cell.functions.reservedConcurrency }, asked)
  })
}

/** Deleted meanwhile: there is nothing left to suspend or resume. */
const unlessGone = async (work: () => Promise<void>): Promise<void> => {
  try {
    await work()
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}

// Lambda starts new environments after an update, also one to the same image, and the server needs no further right for it.
const replaceEnvironments = async (parts: StandingParts, berthId: BerthId, asked: Asked): Promise<void> => {
  const { image = null } = (await lookAtFunction(parts.cell, berthId, asked)) ?? {}
  if (image === null) return
  await onceNotBusy(parts, { berthId, operation: 'UpdateFunctionCode' }, asked, (FunctionName, options) =>
    parts.cell.clients.lambda.send(new UpdateFunctionCodeCommand({ FunctionName, ImageUri: image }), options),
  )
  while ((await lookAtFunction(parts.cell, berthId, asked))?.updating === true)
    await parts.clock.sleep(BUSY_POLL_MS, asked.signal)
}

/** @returns when AWS answered, by its own clock; null when it did not say */
const setConcurrency = async (
  parts: StandingParts,
  { berthId, reserved }: { berthId: BerthId; reserved: number | null },
  asked: Asked,
): Promise<Date | null> => {
  const { lambda } = parts.cell.clients
  let answeredAt: Date | null = null
  const put = (FunctionName: string, ReservedConcurrentExecutions: number) => {
    const command = new PutFunctionConcurrencyCommand({ FunctionName, ReservedConcurrentExecutions })
    command.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args)
        answeredAt = dateOf(result.response)
        return result
      },
      { step: 'deserialize' },
    )
    return command
  }
  const operation = reserved === null ? 'DeleteFunctionConcurrency' : 'PutFunctionConcurrency'
  await onceNotBusy<unknown>(parts, { berthId, operation }, asked, (FunctionName, options) =>
    reserved === null
      ? lambda.send(new DeleteFunctionConcurrencyCommand({ FunctionName }), options)
      : lambda.send(put(FunctionName, reserved), options),
  )
  return answeredAt
}

const dateOf = (response: unknown): Date | null => {
  const { headers = {} } = response as { headers?: Readonly<Record<string, string>> }
  const moment = new Date(headers['date'] ?? '')
  return Number.isNaN(moment.getTime()) ? null : moment
}

const expected = (error: unknown): boolean => isBusy(error) || isNotFound(error)

/** A rollout may be changing the same function; Lambda takes one change at a time. */
// oxlint-disable-next-line max-params
const onceNotBusy = async <T>(
  { cell, clock }: StandingParts,
  { berthId, operation }: { berthId: BerthId; operation: string },
  asked: Asked,
  send: (functionName: string, options: { abortSignal: AbortSignal }) => Promise<T>,
): Promise<void> => {
  const stack = nameOf(cell.deployment, berthId)
  for (;;) {
    try {
      await pacedCall(cell, { pool: 'lambda', operation, stack, expected, ...asked }, (options) => send(stack, options))
      return
    } catch (error) {
      if (!isBusy(error)) throw error
      await clock.sleep(BUSY_POLL_MS, asked.signal)
    }
  }
}
