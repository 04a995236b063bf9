import { GetFunctionCommand, ListFunctionsCommand } from '@aws-sdk/client-lambda'
import { isNotFound } from '../../aws/aws-errors.ts'
import type { Cell } from '../../aws/cell.ts'
import { pacedCall } from '../../aws/paced-call.ts'
import type { Priority } from '../../aws/pacer.ts'
import type { BerthId } from '../../domain/ids.ts'
import { berthIdOf, nameOf } from './names.ts'

export interface Asking {
  readonly priority: Priority
  readonly signal: AbortSignal
}

/** A berth's function as Lambda has it now. */
export interface FunctionView {
  /** With its digest: what really runs, whatever tag it was deployed by. */
  readonly image: string
  readonly codeSha256: string
  readonly revisionId: string | undefined
  readonly state: string
  readonly update: string
  readonly reason: string
  readonly reasonCode: string
}

/** A function in a listing, which tells neither its image nor whether an update of it is under way. */
export interface ListedFunction {
  readonly berthId: BerthId
  /** Functions of one code have one; empty where none was told. */
  readonly codeSha256: string
}

/** Pages of the berths' functions in this cell. Reads 50 functions per request of the small pool. */
export async function* listFunctions(cell: Cell, asking: Asking): AsyncGenerator<readonly ListedFunction[]> {
  let marker: string | undefined
  do {
    const command: ListFunctionsCommand = new ListFunctionsCommand({ Marker: marker, MaxItems: 50 })
    const page = await pacedCall(cell, { pool: 'lambda', operation: 'ListFunctions', ...asking }, (options) =>
      cell.clients.lambda.send(command, options),
    )
    yield (page.Functions ?? []).flatMap(({ FunctionName = '', CodeSha256: codeSha256 = '' }) => {
      const berthId = berthIdOf(cell.deployment, FunctionName)
      return berthId === null ? [] : [{ berthId, codeSha256 }]
    })
    marker = page.NextMarker === '' ? undefined : page.NextMarker
  } while (marker !== undefined)
}

/** The same, their ids alone. */
export async function* listBerthFunctions(cell: Cell, asking: Asking): AsyncGenerator<readonly BerthId[]> {
  for await (const page of listFunctions(cell, asking)) yield page.map(({ berthId }) => berthId)
}

/** Null when the berth has no function. */
export const readFunction = (cell: Cell, berthId: BerthId, asking: Asking): Promise<FunctionView | null> =>
  readNamedFunction(cell, nameOf(cell.deployment, berthId), asking)

/** Null when there is none. GetFunction has a pool of its own, and alone tells the digest. */
export const readNamedFunction = async (
  cell: Cell,
  functionName: string,
  asking: Asking,
): Promise<FunctionView | null> => {
  const command = new GetFunctionCommand({ FunctionName: functionName })
  const call = { pool: 'getFunction', operation: 'GetFunction', expected: isNotFound, ...asking } as const
  try {
    const { Code, Configuration = {} } = await pacedCall(cell, call, (options) =>
      cell.clients.lambda.send(command, options),
    )
    return {
      image: Code?.ResolvedImageUri ?? Code?.ImageUri ?? '',
      codeSha256: Configuration.CodeSha256 ?? '',
      revisionId: Configuration.RevisionId,
      state: Configuration.State ?? 'Active',
      update: Configuration.LastUpdateStatus ?? 'Successful',
      reason: Configuration.LastUpdateStatusReason ?? Configuration.StateReason ?? '',
      reasonCode: Configuration.LastUpdateStatusReasonCode ?? Configuration.StateReasonCode ?? '',
    }
  } catch (error) {
    if (isNotFound(error)) return null
    throw error
  }
}
