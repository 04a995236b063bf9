import type { BerthId } from '../domain/ids.ts'
import type { FleetMember } from '../domain/ports/fleet.ts'
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
  rollout.sawAll = rollout.scope.kind === 'all'
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
    const { off, unsure } = await look(rollout)
    if (off.length > 0 && round > ROUNDS) return reportRestless(rollout, off)
    if (off.length > 0) rollout.move('found_more')
    const stopped = await bringBerths(rollout, { members: [...off, ...unsure], mayGoOn: () => null })
    if (stopped !== null || off.length === 0) return stopped
  }
}

interface Left {
  readonly off: readonly FleetMember[]
  /** The listing says that they run the target. Most were seen to by this rollout itself. */
  readonly unsure: readonly FleetMember[]
}

const look = async (rollout: RunningRollout): Promise<Left> => {
  const { target, updated, confirmed, failed } = rollout
  const off: FleetMember[] = []
  const unsure: FleetMember[] = []
  for (const member of await rollout.list()) {
    const { berthId, image } = member
    if (image !== target.image) {
      updated.delete(berthId)
      confirmed.delete(berthId)
      if (!failed.has(berthId) && !rollout.isPinned(berthId)) off.push(member)
    } else if (!rollout.isSure(member)) unsure.push(member)
  }
  return { off, unsure }
}

const reportRestless = (rollout: RunningRollout, members: readonly FleetMember[]): null => {
  for (const { berthId } of members) rollout.failed.set(berthId, `somebody changed it back ${ROUNDS} times`)
  return null
}

/** Who failed may have been deleted since, or been brought there by somebody else. */
const forgetWhoIsThere = (rollout: RunningRollout): void => {
  if (rollout.failed.size === 0) return
  const left = new Set<BerthId>()
  for (const member of rollout.members) if (!rollout.isSure(member)) left.add(member.berthId)
  for (const berthId of rollout.failed.keys()) if (!left.has(berthId)) rollout.failed.delete(berthId)
}
