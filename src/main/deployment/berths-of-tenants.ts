import { BerthError } from '../../domain/errors.ts'
import type { BerthId, TenantId } from '../../domain/ids.ts'
import type { Store } from '../../domain/ports/store.ts'
import { openStore } from '../../store/open-store.ts'
import { createSystemClock } from '../system-clock.ts'

/** What a tenant's berth is called where it is not found. */
export type NamedBerths = ReadonlyMap<BerthId, string>

/**
 * Where the tenants live, as the servers' store has it, so that a rollout can be limited to them.
 * @throws {BerthError} not_found when some have no berth; store_unavailable
 */
export const berthsOfTenants = async (databaseUrl: string, tenantIds: readonly TenantId[]): Promise<NamedBerths> => {
  await using store = await openStore({ databaseUrl, dataDir: '', clock: createSystemClock() })
  return await berthsIn(store.berths, tenantIds)
}

export const berthsIn = async (
  berths: Pick<Store['berths'], 'findByTenant'>,
  tenantIds: readonly TenantId[],
): Promise<NamedBerths> => {
  const found = new Map<BerthId, string>()
  const without: TenantId[] = []
  for (const tenantId of new Set(tenantIds)) {
    const berth = await berths.findByTenant(tenantId)
    if (berth === null) without.push(tenantId)
    else found.set(berth.id, `${berth.id} of tenant ${tenantId} (${berth.state} in cell ${JSON.stringify(berth.cell)})`)
  }
  if (without.length > 0) throw hasNone(without)
  return found
}

/** Whose berths these are; nobody's are left out. */
export const tenantsIn = async (
  berths: Pick<Store['berths'], 'find'>,
  ones: readonly { readonly berthId: BerthId }[],
): Promise<ReadonlyMap<BerthId, TenantId>> => {
  const found = new Map<BerthId, TenantId>()
  for (const { berthId } of ones) {
    const tenantId = (await berths.find(berthId))?.tenantId ?? null
    if (tenantId !== null) found.set(berthId, tenantId)
  }
  return found
}

const hasNone = (tenantIds: readonly TenantId[]): BerthError =>
  new BerthError('not_found', `No such tenant, or none with a berth: ${tenantIds.join(', ')}`, {
    data: { remedy: 'Nothing was changed. Leave them out; berth tenants ls names who is there.' },
  })
