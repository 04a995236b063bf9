import { UpdateFunctionCodeCommand } from '@aws-sdk/client-lambda'
import { awsFailureOf, isBusy, isNotFound } from '../../aws/aws-errors.ts'
import type { Cell } from '../../aws/cell.ts'
import { pacedCall } from '../../aws/paced-call.ts'
import { BerthError } from '../../domain/errors.ts'
import type { Clock } from '../../domain/ports/clock.ts'
import { type Asking, type FunctionView, readNamedFunction } from './lambda-functions.ts'

export interface CodeUpdate extends Asking {
  readonly functionName: string
  /** `<repository>@sha256:<digest>` */
  readonly image: string
  readonly clock: Pick<Clock, 'monotonicMs' | 'sleep'>
  /** Shared by those who wait for functions of one cell: how many do. */
  readonly waiting?: { count: number }
}

/** An image takes 10 to 60 s to be made ready; much longer is a fault. */
const DEADLINE_MS = 5 * 60_000
/** Of GetFunction's 95/s, what the polls of a rollout take together; each of its updates reads the function twice beside them. */
const POLLS_PER_SECOND = 45
const LEAST_POLL_MS = 500
/** Someone waits for a run or a sign-up. A rollout has hundreds under way at once: the more there are, the less often each is asked for. */
const pollMs = ({ priority, waiting }: CodeUpdate, attempt: number): number =>
  priority === 'rollout'
    ? Math.max(LEAST_POLL_MS, ((waiting?.count ?? 1) * 1000) / POLLS_PER_SECOND)
    : Math.min(3000, LEAST_POLL_MS * attempt)

const rest = async (update: CodeUpdate, attempt: number): Promise<void> => {
  const { waiting = { count: 0 }, clock, signal } = update
  waiting.count += 1
  // Jitter, so that many who began together do not ask together.
  await clock.sleep(pollMs(update, attempt) * (0.5 + Math.random()), signal).finally(() => (waiting.count -= 1))
}

const digestOf = (image: string): string => image.slice(image.indexOf('@') + 1)

const runs = ({ image, update, state }: FunctionView, wanted: string): boolean =>
  digestOf(image) === digestOf(wanted) && update === 'Successful' && state !== 'Failed'

const gone = (functionName: string): BerthError =>
  new BerthError('not_found', 'There is no function to update', { data: { function: functionName } })

const refused = (detail: string, view: { reason: string; reasonCode: string }, cause?: unknown): BerthError =>
  new BerthError('berth_broken', detail, { data: { ...view }, ...(cause === undefined ? {} : { cause }) })

/** Waits until no change of the function is under way. */
const settled = async (cell: Cell, update: CodeUpdate, deadlineMs: number): Promise<FunctionView> => {
  for (let attempt = 1; ; attempt += 1) {
    const view = await readNamedFunction(cell, update.functionName, update)
    if (view === null) throw gone(update.functionName)
    if (view.update !== 'InProgress' && view.state !== 'Pending') return view
    if (update.clock.monotonicMs() > deadlineMs)
      throw new BerthError('backend_unavailable', 'The berth takes too long to be brought to its image', {
        retryAfterSeconds: 30,
        data: { function: update.functionName, state: view.state, update: view.update },
      })
    await rest(update, attempt)
  }
}

/** Somebody else changed the function after it was read, or changes it now: it must be read again. */
const isRaced = (error: unknown): boolean =>
  isBusy(error) || awsFailureOf(error)?.name === 'PreconditionFailedException'
const isRefused = (error: unknown): boolean =>
  ['InvalidParameterValueException', 'CodeArtifactUserDeletedException', 'CodeArtifactUserFailedException'].includes(
    awsFailureOf(error)?.name ?? '',
  )

const isHandled = (error: unknown): boolean => isRaced(error) || isRefused(error) || isNotFound(error)

/** False when it raced with another change. */
const replaceCode = async (cell: Cell, update: CodeUpdate, view: FunctionView): Promise<boolean> => {
  const { functionName, image, priority, signal } = update
  const command = new UpdateFunctionCodeCommand({
    FunctionName: functionName,
    ImageUri: image,
    RevisionId: view.revisionId,
  })
  const call = { pool: 'lambda', operation: 'UpdateFunctionCode', priority, signal, expected: isHandled } as const
  try {
    await pacedCall(cell, call, (options) => cell.clients.lambda.send(command, options))
    return true
  } catch (error) {
    if (isRaced(error)) return false
    if (isNotFound(error)) throw gone(functionName)
    if (!isRefused(error)) throw error
    const { name: reasonCode = '', message: reason = '' } = awsFailureOf(error) ?? {}
    throw refused('The image was refused for this berth', { reason, reasonCode }, error)
  }
}

/**
 * Brings a function to an image and waits until it runs there. One that runs it already costs one GetFunction.
 * @throws {BerthError} invalid_request, not_found, berth_broken with Lambda's own reason in `data`, backend_unavailable
 */
export const updateFunction = async (cell: Cell, update: CodeUpdate): Promise<void> => {
  if (!/^[^@\s]+@sha256:[0-9a-f]{64}$/.test(update.image))
    throw new BerthError(
      'invalid_request',
      `expected an image by its digest (repository@sha256:…), got ${JSON.stringify(update.image)}`,
    )
  const deadlineMs = update.clock.monotonicMs() + DEADLINE_MS
  for (let sent = false; ;) {
    const view = await settled(cell, update, deadlineMs)
    if (runs(view, update.image)) return
    if (sent && view.update === 'Failed') throw refused('The berth could not be brought to the image', view)
    sent = await replaceCode(cell, update, view)
    // No image is ready at once; somebody who waits is told as soon as it is.
    if (sent && update.priority === 'rollout') await rest(update, 1)
  }
}
