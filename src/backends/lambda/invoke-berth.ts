import type { Cell } from '../../aws/cell.ts'
import type { FunctionReply } from '../../aws/invoke-function.ts'
import { BerthError, isBerthError } from '../../domain/errors.ts'
import type { BerthId } from '../../domain/ids.ts'
import { countBareBytes } from './bare-bytes.ts'
import { type InvokeTarget, ownFunctions } from './function-use.ts'
import { invokeError } from './invoke-errors.ts'
import { type InvokeReport, parseInvokeReport } from './invoke-report.ts'

/** Lambda gives a cold start 10 s before the function's own time begins; the rest is the way there and back. */
const GRACE_MS = 15_000
/** Of a ping, a self-test, or a run without results. */
export const BARE_BYTES = 64 * 1024

export interface Invocation {
  readonly berthId: BerthId
  readonly event: unknown
  /** @default the berth's own function */
  readonly target?: InvokeTarget
  /** Ends the wait; what runs in the berth goes on, because Lambda can't be told to stop. */
  readonly signal: AbortSignal
  /** @default the function's own time-out and a grace */
  readonly deadlineMs?: number
  /** Bytes of the answer outside of texts. @default 64 KiB, enough for all but results */
  readonly maxBareBytes?: number
}

/** What the platform said when the function itself did not answer. */
export interface FunctionFailure {
  readonly type: string
  readonly message: string
}

export interface Invoked {
  /** Null when the function answered. */
  readonly failure: FunctionFailure | null
  /** Parsed JSON, of anyone who has got hold of the function: check it. */
  readonly answer: unknown
  readonly report: InvokeReport
  readonly requestId: string | undefined
}

/** An AbortSignal that follows `signal` and has a deadline; `end` lets both go. */
const withDeadline = (signal: AbortSignal, deadlineMs: number) => {
  const controller = new AbortController()
  const follow = () => controller.abort(signal.reason)
  const timer = setTimeout(() => {
    const detail = `The berth gave no answer within ${deadlineMs} ms; whether the code still runs is not known`
    controller.abort(new BerthError('runner_failed', detail, { data: { started: null } }))
  }, deadlineMs)
  signal.addEventListener('abort', follow, { once: true })
  const end = () => {
    clearTimeout(timer)
    signal.removeEventListener('abort', follow)
  }
  return { signal: controller.signal, end }
}

const malformed = (detail: string, { requestId, payload }: FunctionReply, cause?: unknown): BerthError =>
  new BerthError('malformed_reply', detail, { cause, data: { requestId, bytes: payload.length } })

const parseAnswer = (reply: FunctionReply, maxBareBytes: number): unknown => {
  const { payload } = reply
  if (countBareBytes(payload, maxBareBytes) > maxBareBytes)
    throw malformed("The runner's reply has more structure than the limits of its run allow", reply)
  try {
    return JSON.parse(payload.toString())
  } catch (cause) {
    throw malformed("The runner's reply is not JSON", reply, cause)
  }
}

/** What a function says of its failure is for the log, and may be megabytes of its code's choice. */
const MAX_TEXT = 500

const textOf = (answer: unknown, field: string): string => {
  const value = typeof answer === 'object' && answer !== null ? (answer as Record<string, unknown>)[field] : undefined
  return typeof value === 'string' ? value.slice(0, MAX_TEXT) : ''
}

const invokedOf = (reply: FunctionReply, maxBareBytes: number): Invoked => {
  const answer = parseAnswer(reply, maxBareBytes)
  const failed = reply.functionError !== undefined
  return {
    answer,
    failure: failed ? { type: textOf(answer, 'errorType'), message: textOf(answer, 'errorMessage') } : null,
    report: parseInvokeReport(reply.logResult),
    requestId: reply.requestId,
  }
}

/**
 * Invokes the berth's own function once and waits for its answer. Never sends anything twice.
 * @throws {BerthError} as `invokeError` tells, malformed_reply, runner_failed after the deadline; the signal's reason
 */
export const invokeBerth = async (cell: Cell, invocation: Invocation): Promise<Invoked> => {
  const { berthId, event, signal, target = ownFunctions(cell).target(berthId) } = invocation
  const { deadlineMs = cell.functions.timeoutSeconds * 1000 + GRACE_MS, maxBareBytes = BARE_BYTES } = invocation
  signal.throwIfAborted()
  const wait = withDeadline(signal, deadlineMs)
  try {
    const call = { ...target, event, signal: wait.signal }
    return await cell.clients.invokeFunction(call, (reply) => invokedOf(reply, maxBareBytes))
  } catch (error) {
    if (wait.signal.aborted) throw wait.signal.reason
    if (isBerthError(error)) throw error
    throw invokeError(cell, target.functionName, error)
  } finally {
    wait.end()
  }
}
