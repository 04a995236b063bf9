import { BerthError } from '../../domain/errors.ts'
import type { BerthId, TenantId } from '../../domain/ids.ts'
import type { Store } from '../../domain/ports/store.ts'
import { openStore } from '../../store/open-store.ts'
import { createSystemClock } from '../system-clock.ts'

/**
 * Where the tenants live, as the servers' store has it, so that a rollout can be limited to them.
 * @throws {BerthError} not_found when one has no berth; store_unavailable
 */
export const berthsOfTenants = async (
  databaseUrl: string,
  tenantIds: readonly TenantId[],
): Promise<ReadonlySet<BerthId>> => {
  await using store = await openStore({ databaseUrl, dataDir: '', clock: createSystemClock() })
  return await berthsIn(store.berths, tenantIds)
}

export const berthsIn = async (
  berths: Pick<Store['berths'], 'findByTenant'>,
  tenantIds: readonly TenantId[],
): Promise<ReadonlySet<BerthId>> => {
  const found = await Promise.all(
    tenantIds.map(async (tenantId) => {
      const berth = await berths.findByTenant(tenantId)
      if (berth === null) throw new BerthError('not_found', `Tenant ${tenantId} has no berth`)
      return berth.id
    }),
  )
  return new Set(found)
}
