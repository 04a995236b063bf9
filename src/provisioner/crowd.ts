import { BerthError } from '../domain/errors.ts'
import type { TenantId } from '../domain/ids.ts'

/** Calls that wait for a new tenant's berth. Each holds its request in memory, and no admission has counted it yet, so they have an end. */
export const createCrowd = (mostPerTenant: number) => {
  const waiting = new Map<TenantId, number>()
  const count = (tenantId: TenantId, change: 1 | -1): void => {
    const now = (waiting.get(tenantId) ?? 0) + change
    if (now === 0) waiting.delete(tenantId)
    else waiting.set(tenantId, now)
  }
  return {
    /** @throws {BerthError} tenant_provisioning (as many of this tenant wait as may); what `wait` throws */
    join: async <T>(tenantId: TenantId, wait: () => Promise<T>): Promise<T> => {
      const others = waiting.get(tenantId) ?? 0
      if (others >= mostPerTenant) throw tooMany(others)
      count(tenantId, 1)
      try {
        return await wait()
      } finally {
        count(tenantId, -1)
      }
    },
  }
}

const tooMany = (others: number): BerthError =>
  new BerthError(
    'tenant_provisioning',
    `the tenant's berth is still being made, and ${others} calls wait for it already`,
    {
      retryAfterSeconds: 2,
    },
  )
