import { BerthError } from '../domain/errors.ts'
import type { BerthId } from '../domain/ids.ts'
import type { Pin, Wanted } from '../domain/wanted-image.ts'
import { assertNamed } from './assert-named.ts'
import type { RolloutDeps } from './rollout-deps.ts'
import { pin } from './wanted-changes.ts'

/** Who names an image wants to be told when the berth has another one. */
export type PinOrder = Omit<Pin, 'image'> & Partial<Pick<Pin, 'image'>>

interface Pinning {
  readonly one: PinOrder
  /** How whoever asked for the berth called it. */
  readonly names?: ReadonlyMap<BerthId, string>
  readonly signal: AbortSignal
}

/**
 * Has rollouts leave a berth of this cell where it is. @throws {BerthError} not_found; conflict when it has another image than was named, or
 * none is wanted yet
 */
export const pinBerth = async (
  { fleet, wanted }: Pick<RolloutDeps, 'fleet' | 'wanted'>,
  { one, names, signal }: Pinning,
): Promise<Wanted> => {
  // One that is nowhere would take the room of another, and hold nothing.
  const scope = { kind: 'berths', berthIds: new Set([one.berthId]), ...(names && { names }) } as const
  const [member] = await assertNamed({ fleet }, { scope, signal })
  const image = member?.image ?? ''
  if (one.image !== undefined && one.image !== image) throw elsewhere(image, one.image)
  return wanted.change(
    (present) => {
      if (present !== null) return pin(present, { ...one, image })
      throw new BerthError('conflict', 'no image is wanted yet, so there is none to be kept from', {
        data: { remedy: 'Name one: berth rollout start --image <repository>@sha256:<digest>.' },
      })
    },
    { signal },
  )
}

const elsewhere = (image: string, named: string): BerthError =>
  new BerthError('conflict', `image: expected ${image}, which the berth runs, got ${named}`, {
    data: {
      remedy:
        'A pin keeps a berth where it is. Leave --image out, or bring the berth there first: rollout start --berth.',
    },
  })
