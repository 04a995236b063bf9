import { BerthError } from '../domain/errors.ts'
import type { RunningRollout } from './running-rollout.ts'

/** Gives up what does not answer. @throws {BerthError} runner_failed */
export const inTime = async <T>(
  { deps, signal, settings }: RunningRollout,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> => {
  const late = new AbortController()
  const ended = new AbortController()
  const { selfTestMs } = settings
  const giveUp = (): void => late.abort(new BerthError('runner_failed', `no answer within ${selfTestMs} ms`))
  deps.clock.sleep(selfTestMs, ended.signal).then(giveUp, () => undefined)
  try {
    return await work(AbortSignal.any([signal, late.signal]))
  } catch (error) {
    signal.throwIfAborted()
    throw late.signal.aborted ? late.signal.reason : error
  } finally {
    ended.abort()
  }
}
