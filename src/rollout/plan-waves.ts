import type { BerthId } from '../domain/ids.ts'
import type { FleetMember } from '../domain/ports/fleet.ts'
import type { RolloutScope, RolloutSettings } from './rollout-options.ts'

export interface Wave {
  readonly name: 'canaries' | 'ring' | 'rest'
  readonly members: readonly FleetMember[]
}

export interface PlanInput {
  /** Without those that are pinned. */
  readonly members: readonly FleetMember[]
  readonly target: string
  /** What berths had that no rollout has touched yet. */
  readonly present: string
  readonly canaries: ReadonlySet<BerthId>
  /** Nothing can be tried in them. They go with the rest. */
  readonly suspended: ReadonlySet<BerthId>
  readonly lastAtMs: ReadonlyMap<BerthId, number>
  readonly scope: RolloutScope
  readonly settings: Pick<RolloutSettings, 'ringPercent' | 'ringLeast'>
}

/**
 * Canaries, then a ring of the most recently active, then the rest. Tenants who have been touched already come first in the ring, so that a
 * rollout that is cut off and started again, on whatever order of activity, exposes no more of them than the ring has room for.
 */
export const planWaves = (input: PlanInput): readonly Wave[] => {
  const { canaries, suspended, settings, members } = input
  const inScope = scoped(input.scope, inOrder(input))
  const isShared = lastOf(members)
  const isLast = (member: FleetMember): boolean => isShared(member) || suspended.has(member.berthId)
  const first = inScope.filter((member) => !isLast(member))
  const own = first.filter(({ berthId }) => canaries.has(berthId))
  const tenants = first.filter(({ berthId }) => !canaries.has(berthId))
  const ring = Math.max(settings.ringLeast, Math.floor((members.length * settings.ringPercent) / 100))
  return [
    { name: 'canaries', members: own },
    { name: 'ring', members: tenants.slice(0, ring) },
    { name: 'rest', members: [...tenants.slice(ring), ...inScope.filter(isLast)] },
  ]
}

/** One update brings all who share a runner, so it waits until others have shown that the image is well, where there are others. */
const lastOf = (members: readonly FleetMember[]): ((member: FleetMember) => boolean) => {
  const areAll = members.every(({ together }) => together === true)
  return ({ together }) => together === true && !areAll
}

const inOrder = ({ members, target, present, canaries, lastAtMs }: PlanInput): readonly FleetMember[] => {
  const isLast = lastOf(members)
  const rankOf = (member: FleetMember): number => {
    const { berthId, image } = member
    if (isLast(member)) return 4
    if (canaries.has(berthId)) return 0
    if (image === target) return 1
    // A third image, perhaps a bad one: these need it most.
    return image === present ? 3 : 2
  }
  return members
    .map((member) => ({ member, rank: rankOf(member), atMs: lastAtMs.get(member.berthId) ?? 0 }))
    .toSorted(
      (one, other) =>
        one.rank - other.rank || other.atMs - one.atMs || (one.member.berthId < other.member.berthId ? -1 : 1),
    )
    .map(({ member }) => member)
}

export const scoped = (scope: RolloutScope, ordered: readonly FleetMember[]): readonly FleetMember[] => {
  switch (scope.kind) {
    case 'all':
      return ordered
    case 'percent':
      return ordered.slice(0, Math.ceil((ordered.length * scope.percent) / 100))
    case 'berths':
      return ordered.filter(({ berthId }) => scope.berthIds.has(berthId))
    default:
      return scope satisfies never
  }
}
