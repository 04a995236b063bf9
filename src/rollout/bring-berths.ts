import { isBerthError } from '../domain/errors.ts'
import type { BerthId } from '../domain/ids.ts'
import type { FleetMember } from '../domain/ports/fleet.ts'
import type { RunningRollout, Stop } from './running-rollout.ts'

export interface Bringing {
  /** As they were listed. */
  readonly members: readonly FleetMember[]
  /** Asked before each update; what it answers ends the wave. */
  readonly mayGoOn: () => Stop | null
  /** Of those that had another image. */
  readonly onBrought?: (berthId: BerthId) => void
}

/** Updates berths, many at once; the pacer of the cell decides how fast. What is under way when it stops is waited for. */
export const bringBerths = async (
  rollout: RunningRollout,
  { members, ...bringing }: Bringing,
): Promise<Stop | null> => {
  let stop: Stop | null = null
  const waiting = members.values()
  const work = async (): Promise<void> => {
    for (const member of waiting) {
      stop ??= bringing.mayGoOn() ?? (await rollout.reasonToStop())
      if (stop !== null) return
      // Since it was listed.
      if (rollout.isPinned(member.berthId)) continue
      const brought = await bringBerth(rollout, member.berthId)
      if (!brought) continue
      if (rollout.note(member)) bringing.onBrought?.(member.berthId)
    }
  }
  const workers = Array.from({ length: Math.min(rollout.settings.atOnce, members.length) }, work)
  const failed = (await Promise.allSettled(workers)).find((outcome) => outcome.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  return stop ?? bringing.mayGoOn()
}

/** True when the berth runs the target now. A failure is kept with its reason, and the others go on. */
const bringBerth = async (rollout: RunningRollout, berthId: BerthId): Promise<boolean> => {
  const { deps, target, signal, failed } = rollout
  try {
    await rollout.retried(() => deps.fleet.update(berthId, target.image, { signal }))
    failed.delete(berthId)
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
