import type { DeprovisionedTenant } from '../domain/ports/store.ts'
import type { Receipt } from '../domain/tenant.ts'
import type { ProvisionerDeps } from './provisioner.ts'

const BATCH = 100

/** Gives every tenant whose berths are gone its receipt, and leaves the tombstone. */
export const finishDeletions = async ({
  store,
  clock,
  events,
}: Pick<ProvisionerDeps, 'store' | 'clock' | 'events'>): Promise<void> => {
  for (;;) {
    const tenants = await store.tenants.listDeprovisioned({ limit: BATCH })
    for (const tenant of tenants) {
      const now = clock.now()
      await store.tenants.finishDeprovision(tenant.id, receiptOf(tenant, now), now)
      events.emit({ code: 'tenant.deleted', level: 'info', tenantId: tenant.id })
    }
    if (tenants.length < BATCH) return
  }
}

const receiptOf = ({ id, reports }: DeprovisionedTenant, now: Date): Receipt => ({
  tenantId: id,
  berthIds: reports.map(({ berthId }) => berthId),
  deleted: reports.flatMap(({ deleted }) => deleted),
  verifiedAbsent: reports.flatMap(({ verifiedAbsent }) => verifiedAbsent),
  finishedAt: now.toISOString(),
})
