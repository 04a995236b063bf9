import type { BerthOwner } from '../domain/berth-owner.ts'
import type { Berth } from '../domain/tenant.ts'
import type { ProvisionerDeps, ReconcileFinding } from './provisioner.ts'

type Deps = Pick<ProvisionerDeps, 'store' | 'berths'>

/** Gaps that cost requests of their own for each berth. */
export const deepGaps = async (
  deps: Deps,
  row: Berth,
  signal: AbortSignal,
): Promise<readonly Omit<ReconcileFinding, 'done' | 'error'>[]> => {
  if (row.state !== 'ready') return []
  const ids = { berthId: row.id, tenantId: row.tenantId }
  const drift = (await deps.berths.drift?.(row.id, { signal })) ?? []
  return [
    ...((await isRecorded(deps, row, signal)) ? [] : [{ kind: 'unrecorded', ...ids, action: 'record' } as const]),
    ...(drift.length === 0 ? [] : [{ kind: 'drifted', ...ids, action: 'upgrade', detail: drift.join('; ') } as const]),
  ]
}

const isRecorded = async ({ store, berths }: Deps, { id }: Berth, signal: AbortSignal): Promise<boolean> => {
  const owner = await store.owners.find(id)
  const trace = await berths.owners.trace(id, { signal })
  if (owner === null) return trace.kind === 'unclaimed'
  return trace.kind === 'owned' && isSame(trace.owner, owner)
}

const isSame = (one: BerthOwner, other: BerthOwner): boolean =>
  one.tenantId === other.tenantId && one.externalKey === other.externalKey && one.state === other.state
