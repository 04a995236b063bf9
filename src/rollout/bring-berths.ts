import { isBerthError } from '../domain/errors.ts'
import type { BerthId } from '../domain/ids.ts'
import type { RunningRollout, Stop } from './running-rollout.ts'

export interface Bringing {
  readonly berthIds: readonly BerthId[]
  /** Asked before each update; what it answers ends the wave. */
  readonly mayGoOn: () => Stop | null
  readonly onBrought?: (berthId: BerthId) => void
}

/** Updates berths, many at once; the pacer of the cell decides how fast. What is under way when it stops is waited for. */
export const bringBerths = async (
  rollout: RunningRollout,
  { berthIds, ...bringing }: Bringing,
): Promise<Stop | null> => {
  let stop: Stop | null = null
  const waiting = berthIds.values()
  const work = async (): Promise<void> => {
    for (const berthId of waiting) {
      stop ??= bringing.mayGoOn() ?? (await rollout.reasonToStop())
      if (stop !== null) return
      if (await bringBerth(rollout, berthId)) bringing.onBrought?.(berthId)
    }
  }
  const workers = Array.from({ length: Math.min(rollout.settings.atOnce, berthIds.length) }, work)
  const failed = (await Promise.allSettled(workers)).find((outcome) => outcome.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  return stop ?? bringing.mayGoOn()
}

/** True when the berth runs the target now. A failure is kept with its reason, and the others go on. */
const bringBerth = async (rollout: RunningRollout, berthId: BerthId): Promise<boolean> => {
  const { deps, target, signal, updated, failed } = rollout
  try {
    await rollout.retried(() => deps.fleet.update(berthId, target.image, { signal }))
    updated.add(berthId)
    failed.delete(berthId)
    rollout.emit('rollout.updated', { updated: updated.size }, { level: 'debug', berthId })
    return true
  } catch (error) {
    signal.throwIfAborted()
    if (isBerthError(error) && error.code === 'not_found') {
      rollout.gone += 1
      return false
    }
    const reason = reasonOf(error)
    failed.set(berthId, reason)
    rollout.emit('rollout.update_failed', { reason, failed: failed.size }, { level: 'warn', berthId, error })
    return false
  }
}

/** Lambda's own reason, where it gave one. */
export const reasonOf = (error: unknown): string => {
  if (!isBerthError(error)) return error instanceof Error ? error.message : String(error)
  const { reason, reasonCode } = error.data
  const own = [reasonCode, reason].filter((text) => typeof text === 'string' && text !== '').join(': ')
  return own === '' ? error.message : `${error.message}: ${own}`
}
