import type { BerthOwner } from '../domain/berth-owner.ts'
import type { OwnerTrace } from '../domain/ports/berth-owners.ts'
import type { ListedBerth } from '../domain/ports/berths.ts'
import type { Adoption } from '../domain/ports/owner-store.ts'
import type { Berth } from '../domain/tenant.ts'
import type { ProvisionerDeps, ReconcileFinding } from './provisioner.ts'

/** A berth that lives and has no row, and what lies with it. */
export interface Stray {
  readonly listed: ListedBerth
  readonly trace: OwnerTrace
}

export interface StrayGap {
  readonly gap: Omit<ReconcileFinding, 'done' | 'error'>
  /** Makes the rows; null where that is not what closes the gap. */
  readonly adopt: (() => Promise<boolean>) | null
}

type Deps = Pick<ProvisionerDeps, 'store' | 'berths' | 'files' | 'clock'>

/** The tenant's present berth before one that it left, and the newest before older ones: who comes first is the tenant's own. */
export const inOrder = (strays: readonly Stray[]): readonly Stray[] =>
  strays.toSorted((one, other) => rank(other).localeCompare(rank(one)))

const rank = ({ trace }: Stray): string =>
  trace.kind === 'owned' ? `${trace.owner.state === 'left' ? 0 : 1}${trace.owner.claimedAt}` : ''

/**
 * What to do with a berth that no row knows: rows go after their resources, so the store has lost it, or never knew it. One that is a
 * tenant's, or could be, is never destroyed for that. `told` remembers the tenants that a dry run has met.
 */
export const gapOfStray = async (
  deps: Deps,
  { listed, trace }: Stray,
  { rebuild, told, signal }: { rebuild: boolean; told: Set<string>; signal: AbortSignal },
): Promise<StrayGap> => {
  const { berthId, partial } = listed
  if (trace.kind === 'illegible') return forOperator('unknown_owner', berthId)
  if (trace.kind === 'owned') {
    const gap = { kind: 'lost_row', berthId, tenantId: trace.owner.tenantId, action: 'adopt' } as const
    const adoption = await adoptionOf(deps, { owner: trace.owner, trace, told }, signal)
    if (adoption === null) return forOperator('disputed', berthId, trace.owner)
    return { gap, adopt: rebuild ? () => adoptOwned(deps, { listed, owner: trace.owner, adoption, signal }) : null }
  }
  if (trace.holdsFiles) return forOperator('unknown_owner', berthId)
  // Nobody ever used it, so it can serve as a spare; what is incomplete is not worth keeping.
  const gap = { kind: 'orphan', berthId, tenantId: null } as const
  if (!rebuild || partial) return { gap: { ...gap, action: 'destroy' }, adopt: null }
  const { backend, cell } = listed
  return {
    gap: { ...gap, action: 'adopt' },
    adopt: () => deps.store.owners.adoptSpare({ berthId, backend, cell, now: deps.clock.now() }),
  }
}

const forOperator = (
  kind: 'unknown_owner' | 'disputed',
  berthId: ListedBerth['berthId'],
  owner?: BerthOwner,
): StrayGap => ({
  gap: { kind, berthId, tenantId: owner?.tenantId ?? null, action: 'operator' },
  adopt: null,
})

/** Null when two berths of one tenant hold files: which is right, nobody here can know. */
const adoptionOf = async (
  deps: Deps,
  { owner, trace, told }: { owner: BerthOwner; trace: OwnerTrace; told: Set<string> },
  signal: AbortSignal,
): Promise<Adoption | null> => {
  const tenant = await deps.store.owners.findTenant(owner.externalKey)
  const isClosed = tenant?.state === 'deprovisioning' || tenant?.state === 'deleted'
  if (isClosed || owner.state === 'deprovisioning') return 'deprovision'
  const present = tenant === null ? null : await deps.store.berths.findByTenant(tenant.id)
  const another = told.has(owner.externalKey)
  told.add(owner.externalKey)
  if (present === null) return another ? (trace.holdsFiles ? null : 'left') : 'own'
  if (owner.state === 'left' || !trace.holdsFiles) return 'left'
  return (await holdsFiles(deps, present, signal)) ? null : 'replace'
}

const holdsFiles = async ({ files }: Deps, { id: berthId }: Berth, signal: AbortSignal): Promise<boolean> => {
  const page = await files?.list({ berthId, area: 'files' }, { cursor: null, limit: 1, signal })
  return page === undefined || page.entries.length > 0
}

interface Owned {
  readonly listed: ListedBerth
  readonly owner: BerthOwner
  readonly adoption: Adoption
  readonly signal: AbortSignal
}

const adoptOwned = async (deps: Deps, { listed, owner, adoption, signal }: Owned): Promise<boolean> => {
  const { backend, cell, partial } = listed
  const place = { backend, cell, whole: !partial, now: deps.clock.now() }
  const adopted = await deps.store.owners.adopt({ owner, adoption, ...place })
  if (adopted && (adoption === 'own' || adoption === 'replace')) await suspendIfResting(deps, owner, signal)
  return adopted
}

/** The suspension may have come so late that the record does not tell it. */
const suspendIfResting = async (deps: Deps, owner: BerthOwner, signal: AbortSignal): Promise<void> => {
  const standing = await deps.berths.standing(owner.berthId, { signal })
  if (standing !== 'suspended' && standing !== 'half_suspended') return
  const row = await deps.store.berths.find(owner.berthId)
  if (row?.tenantId != null) await deps.store.tenants.setSuspended(row.tenantId, true)
}
