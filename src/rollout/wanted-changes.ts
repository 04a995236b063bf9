import { BerthError } from '../domain/errors.ts'
import type { Pin, RunnerImage, Wanted } from '../domain/wanted-image.ts'

/** Where the fleet is being brought. */
export const targetOf = ({ image, version, candidate }: Wanted): RunnerImage => candidate ?? { image, version }

/** The same image with another version is not: which of the two its runner has, a wave must show. */
export const isSame = (one: RunnerImage, other: RunnerImage): boolean =>
  one.image === other.image && one.version === other.version

/**
 * An image is on its way. The one that is on its way or offered already changes nothing. Under another version it is a candidate like any other:
 * nobody has looked yet whether its runner has that version. @throws {BerthError} conflict
 */
export const propose = (present: Wanted | null, target: RunnerImage): Wanted => {
  if (present === null) return { ...target, fence: 0 }
  if (target.version < present.fence) throw behindFence(present, target)
  // A halt, and what could not be updated, are about the image that was on its way: neither is a way around a hold of the same image.
  const base = targetOf(present).image === target.image ? present : afresh(present)
  return isSame(present, target) ? without(base, 'candidate') : { ...base, candidate: target }
}

/** The image has passed the first waves: new berths get it too. */
export const promote = (present: Wanted, target: RunnerImage): Wanted => {
  const { image, version, candidate } = present
  if (candidate === undefined || !isSame(candidate, target)) return present
  const promoted = { ...without(present, 'candidate'), ...target }
  return image === target.image ? promoted : { ...promoted, previous: { image, version } }
}

/**
 * New berths get the image at once, and no rollout is on its way any more. A rollback goes back to what they got until now. @throws {BerthError}
 * conflict when that is behind the fence
 */
export const offer = (present: Wanted | null, target: RunnerImage): Wanted => {
  if (present === null) return { ...target, fence: 0 }
  if (target.version < present.fence) throw behindFence(present, target)
  const { image, version } = present
  const previous = image === target.image ? present.previous : { image, version }
  return { ...without(without(present, 'candidate'), 'previous'), ...target, ...(previous && { previous }) }
}

/**
 * Back to what was wanted before the image that is on its way or was offered last. Said twice it goes back once. @throws {BerthError} conflict
 * when that is behind the fence
 */
export const rollBackTo = (present: Wanted): Wanted => {
  const { candidate, previous, ...rest } = afresh(present)
  const back =
    candidate === undefined && previous !== undefined ? previous : { image: rest.image, version: rest.version }
  if (back.version < present.fence) throw behindFence(present, back)
  return { ...rest, ...back }
}

export const hold = (present: Wanted, reason: string): Wanted => ({ ...present, held: reason.slice(0, 500) })

/** Holds whatever comes next as well. */
export const pause = (present: Wanted, reason: string): Wanted => ({ ...hold(present, reason), paused: true })

export const resume = (present: Wanted): Wanted => without(without(present, 'held'), 'paused')

/** Without what was said of the image that was on its way. A pause was said of all. */
const afresh = (present: Wanted): Omit<Wanted, 'failed'> =>
  without(present.paused === true ? present : without(present, 'held'), 'failed')

/** @throws {BerthError} conflict when berths could not be brought before it, or are on their way behind it */
export const raiseFence = (present: Wanted, fence: number): Wanted => {
  const most = Math.min(present.version, targetOf(present).version)
  if (fence <= most) return { ...present, fence }
  throw new BerthError(
    'conflict',
    `fence: expected at most ${most}, the version that berths can be brought to, got ${fence}; finish its rollout first`,
  )
}

/** Replaces the pin that the berth has. */
export const pin = (present: Wanted, one: Pin): Wanted => ({ ...present, pins: [...others(present, one.berthId), one] })

export const unpin = (present: Wanted, berthId: Pin['berthId']): Wanted => ({
  ...present,
  pins: others(present, berthId),
})

const others = ({ pins = [] }: Wanted, berthId: Pin['berthId']): Pin[] => pins.filter((one) => one.berthId !== berthId)

/** Pins that have not run out. */
export const pinsAt = ({ pins = [] }: Wanted, now: Date): readonly Pin[] =>
  pins.filter(({ until }) => new Date(until) > now)

const without = <T extends Wanted, K extends 'candidate' | 'held' | 'failed' | 'paused' | 'previous'>(
  wanted: T,
  key: K,
): Omit<T, K> => {
  const { [key]: _, ...rest } = wanted
  return rest
}

const behindFence = ({ fence }: Wanted, { version }: RunnerImage): BerthError =>
  new BerthError(
    'conflict',
    `version ${version} is behind the fence ${fence}, and would run nothing; lower the fence first`,
  )
