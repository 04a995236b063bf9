import { BerthError } from '../domain/errors.ts'
import type { BerthId } from '../domain/ids.ts'
import type { Pin, Wanted } from '../domain/wanted-image.ts'
import { assertNamed } from './assert-named.ts'
import type { RolloutDeps } from './rollout-deps.ts'
import { pin } from './wanted-changes.ts'

interface Pinning {
  readonly one: Pin
  /** How whoever asked for the berth called it. */
  readonly names?: ReadonlyMap<BerthId, string>
  readonly signal: AbortSignal
}

/** Has rollouts leave a berth of this cell where it is. @throws {BerthError} not_found; conflict when no image is wanted yet */
export const pinBerth = async (
  { fleet, wanted }: Pick<RolloutDeps, 'fleet' | 'wanted'>,
  { one, names, signal }: Pinning,
): Promise<Wanted> => {
  // One that is nowhere would take the room of another, and hold nothing.
  await assertNamed(
    { fleet },
    { scope: { kind: 'berths', berthIds: new Set([one.berthId]), ...(names && { names }) }, signal },
  )
  return wanted.change(
    (present) => {
      if (present !== null) return pin(present, one)
      throw new BerthError('conflict', 'no image is wanted yet, so there is none to be kept from', {
        data: { remedy: 'Name one: berth rollout start --image <repository>@sha256:<digest>.' },
      })
    },
    { signal },
  )
}
