import type { BerthId } from '../domain/ids.ts'
import { bringBerths } from './bring-berths.ts'
import type { RunningRollout, Stop } from './running-rollout.ts'

/** Berths that are changed back as often as this are somebody else's doing, and are reported. */
const ROUNDS = 5

/**
 * Lists the fleet until a listing shows nothing left: berths that were made meanwhile, or changed by somebody. The listing that counts comes
 * when no berth can appear any more whose creation began before the target was offered to all.
 */
export const sweep = async (rollout: RunningRollout): Promise<Stop | null> => {
  // A part of the fleet was never all of it, so nothing can be missing.
  const stop = rollout.scope.kind === 'all' ? await bringRest(rollout) : null
  if (stop !== null) return stop
  forgetWhoIsThere(rollout)
  rollout.move(rollout.failed.size === 0 ? 'nothing_left' : 'failures_left')
  return null
}

const bringRest = async (rollout: RunningRollout): Promise<Stop | null> => {
  const { deps, settings, signal } = rollout
  // The way back is not to wait for anybody.
  const stop = rollout.state === 'rolling_back' ? await bringDiffering(rollout) : null
  if (stop !== null) return stop
  await deps.clock.sleep(Math.max(0, rollout.offeredMs + settings.creationMs - deps.clock.monotonicMs()), signal)
  return bringDiffering(rollout)
}

const bringDiffering = async (rollout: RunningRollout): Promise<Stop | null> => {
  for (let round = 1; ; round += 1) {
    const stop = await rollout.reasonToStop()
    if (stop !== null) return stop
    const left = await differing(rollout)
    if (left.length === 0) return null
    if (round > ROUNDS) return reportRestless(rollout, left)
    rollout.move('found_more')
    const stopped = await bringBerths(rollout, { berthIds: left, mayGoOn: () => null })
    if (stopped !== null) return stopped
  }
}

const differing = async (rollout: RunningRollout): Promise<readonly BerthId[]> => {
  const off = (await rollout.list()).filter(({ image }) => image !== rollout.target.image)
  for (const { berthId } of off) rollout.updated.delete(berthId)
  return off.map(({ berthId }) => berthId).filter((id) => !rollout.isPinned(id) && !rollout.failed.has(id))
}

const reportRestless = (rollout: RunningRollout, berthIds: readonly BerthId[]): null => {
  for (const berthId of berthIds) rollout.failed.set(berthId, `somebody changed it back ${ROUNDS} times`)
  return null
}

/** Who failed may have been deleted since, or been brought there by somebody else. */
const forgetWhoIsThere = ({ failed, members, target, updated }: RunningRollout): void => {
  const off = new Set(
    members
      .filter(({ berthId, image }) => image !== target.image && !updated.has(berthId))
      .map(({ berthId }) => berthId),
  )
  for (const berthId of failed.keys()) if (!off.has(berthId)) failed.delete(berthId)
}
