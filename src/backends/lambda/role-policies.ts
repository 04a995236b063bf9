import { DeleteRolePolicyCommand, GetRolePolicyCommand, PutRolePolicyCommand } from '@aws-sdk/client-iam'
import { isNotFound } from '../../aws/aws-errors.ts'
import type { Cell } from '../../aws/cell.ts'
import { pacedCall } from '../../aws/paced-call.ts'
import type { BerthId } from '../../domain/ids.ts'
import { nameOf } from './names.ts'
import type { Asked } from './stack-reads.ts'

/** Denies everything; there exactly while the tenant is suspended. */
export const SUSPENDED_POLICY = 'berth-suspended'
/** Denies everything to sessions from before the last suspension; stays, so that stolen credentials stay worthless. */
export const REVOKED_POLICY = 'berth-revoked-sessions'

const deny = { Effect: 'Deny', Action: '*', Resource: '*' }
const documentOf = (statement: object): string => JSON.stringify({ Version: '2012-10-17', Statement: [statement] })

export const suspendedDocument = documentOf({ Sid: 'TenantIsSuspended', ...deny })

export const revokedDocument = (before: Date): string =>
  documentOf({
    Sid: 'SessionsFromBeforeTheSuspension',
    ...deny,
    Condition: { DateLessThan: { 'aws:TokenIssueTime': before.toISOString() } },
  })

interface Which {
  readonly berthId: BerthId
  readonly policy: string
}

/** True: there is one, and `send` has dealt with it. */
const ask = async (
  cell: Cell,
  call: { readonly operation: string; readonly stack: string } & Asked,
  send: (options: { abortSignal: AbortSignal }) => Promise<unknown>,
): Promise<boolean> => {
  try {
    await pacedCall(cell, { pool: 'iam', expected: isNotFound, ...call }, send)
    return true
  } catch (error) {
    if (isNotFound(error)) return false
    throw error
  }
}

/** False when there is no role to put it on. */
export const putRolePolicy = async (
  cell: Cell,
  { berthId, policy, document }: Which & { readonly document: string },
  asked: Asked,
): Promise<boolean> => {
  const stack = nameOf(cell.deployment, berthId)
  const command = new PutRolePolicyCommand({ RoleName: stack, PolicyName: policy, PolicyDocument: document })
  return ask(cell, { operation: 'PutRolePolicy', stack, ...asked }, (options) =>
    cell.clients.iam.send(command, options),
  )
}

export const hasRolePolicy = async (cell: Cell, { berthId, policy }: Which, asked: Asked): Promise<boolean> => {
  const stack = nameOf(cell.deployment, berthId)
  const command = new GetRolePolicyCommand({ RoleName: stack, PolicyName: policy })
  return ask(cell, { operation: 'GetRolePolicy', stack, ...asked }, (options) =>
    cell.clients.iam.send(command, options),
  )
}

/** False when there was none. */
export const deleteRolePolicy = async (cell: Cell, { berthId, policy }: Which, asked: Asked): Promise<boolean> => {
  const stack = nameOf(cell.deployment, berthId)
  const command = new DeleteRolePolicyCommand({ RoleName: stack, PolicyName: policy })
  return ask(cell, { operation: 'DeleteRolePolicy', stack, ...asked }, (options) =>
    cell.clients.iam.send(command, options),
  )
}
