import { BerthError, isBerthError } from '../domain/errors.ts'
import type { BerthId } from '../domain/ids.ts'
import type { DispatchOptions, DispatchRequest } from '../domain/ports/dispatch.ts'
import type { Fence } from '../domain/ports/fences.ts'
import type { RunnerReply } from '../domain/runner-protocol.ts'
import type { Core } from './core.ts'
import { CANCEL_GRACE_MS, DISPATCH_GRACE_MS } from './settings.ts'

export interface DispatchWork {
  readonly berthId: BerthId
  readonly request: DispatchRequest
  /** Aborted with a BerthError: why the run is to end. */
  readonly signal: AbortSignal
  readonly onOutput: DispatchOptions['onOutput'] | undefined
}

type Deps = Pick<Core, 'dispatch' | 'mend' | 'fences' | 'clock' | 'events'>

/** A reason of its own: without one each abort makes an exception with its stack, on the path of every run. */
const OVER = 'over'

/**
 * The reply of the berth's runner within the time limit and a grace. Tries a second time only when the runner said that it has not started.
 * @throws {BerthError} what Dispatch throws; runner_failed when nothing came back in time; the reason of the signal
 */
export const dispatchRun = async (deps: Deps, work: DispatchWork): Promise<RunnerReply> => {
  const ended = new AbortController()
  // Not AbortSignal.any, which is made for signals that live long: on the path of every run it shows.
  const stop = new AbortController()
  const passOn = (): void => stop.abort(work.signal.reason)
  if (work.signal.aborted) passOn()
  else work.signal.addEventListener('abort', passOn, { once: true })
  const { signal } = stop
  const timeoutMs = work.request.limits.timeoutMs + DISPATCH_GRACE_MS
  deps.clock.sleep(timeoutMs, ended.signal).then(
    () => stop.abort(new BerthError('runner_failed', `the runner gave no reply within ${timeoutMs} ms`)),
    () => undefined,
  )
  const given = givenUp(deps, signal, ended.signal)
  try {
    const reply = await Promise.race([dispatchTwice(deps, { ...work, signal }), given])
    return reply.outcome.status === 'canceled' && isBerthError(signal.reason) ? whyStopped(reply, signal.reason) : reply
  } catch (error) {
    // The first reason to stop is the one that is told, whatever it made the backend throw.
    if (signal.aborted && isBerthError(signal.reason)) throw signal.reason
    throw asBerthError(error)
  } finally {
    work.signal.removeEventListener('abort', passOn)
    ended.abort(OVER)
  }
}

/** The runner only knows that it was told to stop; what it captured until then is kept. */
const whyStopped = (reply: RunnerReply, reason: BerthError): RunnerReply => {
  if (reason.code === 'canceled') return reply
  if (reason.code !== 'runner_failed') throw reason
  return { ...reply, outcome: { status: 'timed_out', code: 'timeout', detail: reason.message } }
}

/** A backend that ignores its signal must not hold a place for ever. */
const givenUp = (deps: Deps, signal: AbortSignal, ended: AbortSignal): Promise<never> => {
  const given = Promise.withResolvers<never>()
  given.promise.catch(() => undefined)
  const giveUp = (): void => {
    deps.clock.sleep(CANCEL_GRACE_MS, ended).then(
      () => given.reject(signal.reason as Error),
      () => undefined,
    )
  }
  if (signal.aborted) giveUp()
  else signal.addEventListener('abort', giveUp, { once: true })
  return given.promise
}

const dispatchTwice = async (deps: Deps, work: DispatchWork): Promise<RunnerReply> => {
  const fence = await fenceOf(deps, work)
  try {
    return await dispatchOnce(deps, behindFence(work, fence))
  } catch (error) {
    work.signal.throwIfAborted()
    if (!isBerthError(error) || !isRefusal(error)) throw error
    await bringPast(deps, fence, { error, work })
    // It may have been raised meanwhile.
    return dispatchOnce(deps, behindFence(work, await fenceOf(deps, work)))
  }
}

const fenceOf = async (deps: Deps, { berthId, signal }: DispatchWork): Promise<Fence | null> =>
  (await deps.fences?.of(berthId, { signal })) ?? null

const behindFence = (work: DispatchWork, fence: Fence | null): DispatchWork =>
  fence === null ? work : { ...work, request: { ...work.request, minRunnerVersion: fence.minRunnerVersion } }

const dispatchOnce = (deps: Deps, { berthId, request, signal, onOutput }: DispatchWork): Promise<RunnerReply> =>
  deps.dispatch.dispatch({ berthId, request, signal, ...(onOutput === undefined ? {} : { onOutput }) })

const isRefusal = ({ code, data }: BerthError): boolean =>
  code === 'runner_outdated' || (code === 'runner_failed' && typeof data['runnerVersion'] === 'number')

/** @throws {BerthError} the error itself when there is no image to update to */
const bringPast = async (
  deps: Deps,
  fence: Fence | null,
  { error, work }: { error: BerthError; work: DispatchWork },
): Promise<void> => {
  const { berthId, request, signal } = work
  deps.events.emit({
    code: 'run.refused',
    level: 'warn',
    berthId,
    detail: { reason: error.code, runId: request.runId },
  })
  if (error.code !== 'runner_outdated') return
  if (fence === null) throw error
  await deps.mend(berthId, fence.image, { signal }).catch((cause: unknown) => {
    // Where berths share a runner, only whoever rolls out can bring it past the fence.
    throw isBerthError(cause) && cause.code === 'unsupported' ? error : cause
  })
}

const asBerthError = (error: unknown): BerthError =>
  isBerthError(error) ? error : new BerthError('internal', 'the backend broke its contract', { cause: error })
