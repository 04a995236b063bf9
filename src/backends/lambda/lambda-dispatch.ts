import type { Cell } from '../../aws/cell.ts'
import { BerthError, isBerthError } from '../../domain/errors.ts'
import { type BerthId, berthIdSchema, type RunId, runIdSchema } from '../../domain/ids.ts'
import type { Dispatch, DispatchOptions, DispatchRequest } from '../../domain/ports/dispatch.ts'
import type { Events } from '../../domain/ports/events.ts'
import { RUNNER_PROTOCOL, type RunnerReply, type RunnerRequest } from '../../domain/runner-protocol.ts'
import { acceptRunnerReply } from '../../domain/runner-reply.ts'
import { type FunctionUse, ownFunctions } from './function-use.ts'
import { BARE_BYTES, type FunctionFailure, invokeBerth, type Invoked } from './invoke-berth.ts'
import { createDescription, type DescriptionOptions, pingEvent } from './invoke-description.ts'
import { endedByPlatform } from './invoke-ending.ts'
import { assertParsable, plausibleReply } from './plausible-answer.ts'

export interface LambdaDispatchOptions extends DescriptionOptions {
  readonly events: Events
  /** Runs at once over all tenants; at most the connections of the invoke client. */
  readonly maxConcurrency: number
}

/** Types vanish at run time; ids that become names and keys are checked again. */
const checkedIds = (berthId: BerthId, runId: string): { berthId: BerthId; runId: RunId } => {
  const run = runIdSchema.safeParse(runId)
  if (berthIdSchema.safeParse(berthId).success && run.success) return { berthId, runId: run.data }
  throw new BerthError('invalid_request', `expected a berth id and a run id, got ${JSON.stringify([berthId, runId])}`)
}

/** The runner of a function that keeps its tenants apart compares `tenant` with what Lambda says. */
type RunEvent = RunnerRequest & { readonly tenant?: string }

const eventOf = (use: FunctionUse, berth: BerthId, request: DispatchRequest): RunEvent => {
  const { berthId, runId } = checkedIds(berth, request.runId)
  const { tenantId } = use.target(berthId)
  const event = { protocol: RUNNER_PROTOCOL, kind: 'run', ...request, prefix: use.prefix(berthId, runId) } as const
  return tenantId === undefined ? event : { ...event, tenant: tenantId }
}

const malformed = (detail: string, data: Readonly<Record<string, unknown>>): BerthError =>
  new BerthError('malformed_reply', detail, { data })

/**
 * Code that has got hold of its function can answer in the runner's name. It may spoil its own run; it must not be taken for
 * another's, make Berth repeat a run that ran, or have a berth updated that is not behind the fence.
 */
const accept = ({ runId, minRunnerVersion, limits }: DispatchRequest, { answer, requestId }: Invoked): RunnerReply => {
  try {
    assertParsable(answer, limits)
    const reply = plausibleReply(acceptRunnerReply(answer), limits)
    if (reply.runId !== runId) throw malformed('The reply belongs to another run', { requestId })
    if (reply.runner.version < minRunnerVersion)
      throw malformed('The reply came from a runner behind the fence, which refuses runs', { requestId })
    return reply
  } catch (error) {
    if (!isBerthError(error)) throw error
    const { runnerVersion, runId: refused = runId } = error.data
    if (refused !== runId) throw malformed('The refusal belongs to another run', { requestId })
    if (error.code === 'runner_outdated' && Number(runnerVersion) >= minRunnerVersion)
      throw malformed('The runner says that it is behind the fence, and is not', { requestId, claimed: runnerVersion })
    throw error
  }
}

/** A result counts its bytes without blanks; on its way it may have one after every comma and colon. */
const bareBytesOf = ({ limits }: DispatchRequest): number =>
  BARE_BYTES + limits.maxResultBytes * 2 + limits.maxArtifacts * 256

const LEAVES = new Set(['runner_outdated', 'runner_failed'])
const FLUSH_DEADLINE_MS = 5000

/**
 * A runner that refuses for a fault of its own ends its environment, and the platform tells of that only to whoever is sent there
 * next: a run would be taken for crashed. A ping takes that blow before anyone is told to try again.
 */
const flush = (cell: Cell, use: FunctionUse, { berthId, signal }: DispatchOptions): Promise<unknown> => {
  const ping = { berthId, event: pingEvent, target: use.target(berthId), signal, deadlineMs: FLUSH_DEADLINE_MS }
  return invokeBerth(cell, ping).catch(() => undefined)
}

const leaves = (error: unknown): boolean =>
  isBerthError(error) && LEAVES.has(error.code) && error.data['runnerVersion'] !== undefined

const tellEnding = (
  events: Events,
  { berthId, request }: DispatchOptions,
  { failure, invoked }: { failure: FunctionFailure; invoked: Invoked },
): void => {
  const { durationMs, peakMemoryMiB, memoryMiB, initFailed } = invoked.report
  const detail = {
    errorType: failure.type.slice(0, 100),
    awsRequestId: invoked.requestId ?? null,
    durationMs,
    memoryMiB,
    peakMemoryMiB,
    initFailed,
  }
  events.emit({ code: 'run.ended_by_platform', level: 'warn', berthId, runId: request.runId as RunId, detail })
}

/** Runs code in the caller's own function. */
export const createLambdaDispatch = (cell: Cell, options: LambdaDispatchOptions): Dispatch =>
  createFunctionDispatch(cell, ownFunctions(cell), options)

/** Nothing is sent twice; a run that nobody waits for any more runs to its end. */
export const createFunctionDispatch = (cell: Cell, use: FunctionUse, options: LambdaDispatchOptions): Dispatch => {
  const description = createDescription(cell, use, options)
  return {
    capabilities: { streamsOutput: false, cancels: false, files: use.files, maxConcurrency: options.maxConcurrency },

    async dispatch(work) {
      const { berthId, request, signal } = work
      const event = eventOf(use, berthId, request)
      const maxBareBytes = bareBytesOf(request)
      const invoked = await invokeBerth(cell, { berthId, event, target: use.target(berthId), signal, maxBareBytes })
      const { failure } = invoked
      if (failure !== null) {
        tellEnding(options.events, work, { failure, invoked })
        return endedByPlatform(request.runId, invoked, failure)
      }
      description.answered(berthId)
      try {
        return accept(request, invoked)
      } catch (error) {
        if (leaves(error)) await flush(cell, use, work)
        throw error
      }
    },

    describe: description.describe,
  }
}
