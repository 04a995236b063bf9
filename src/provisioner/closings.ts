import type { BerthError } from '../domain/errors.ts'
import type { TenantId } from '../domain/ids.ts'
import type { Tenant } from '../domain/tenant.ts'
import { type BerthLookup, whyClosed } from './berth-lookup.ts'
import type { ClosedListener, Provisioner, ProvisionerDeps } from './provisioner.ts'

export interface Closings extends Pick<Provisioner, 'onClosed' | 'findClosed'> {
  /** This process has changed the tenant's state. */
  readonly changed: (tenant: Tenant) => void
}

/** Tells who must stop, whether this process or another has suspended or deleted them. */
export const createClosings = (
  store: Pick<ProvisionerDeps['store'], 'tenants'>,
  lookup: Pick<BerthLookup, 'forget'>,
): Closings => {
  const listeners: ClosedListener[] = []
  return {
    onClosed: (listener) => void listeners.push(listener),
    changed: ({ id, state }) => {
      lookup.forget(id)
      const why = whyClosed(state)
      if (why !== null) for (const listener of listeners) listener(id, why)
    },
    findClosed: async (tenantIds) => {
      const states = await store.tenants.statesOf(tenantIds)
      const closed = new Map<TenantId, BerthError>()
      for (const id of tenantIds) {
        const why = whyClosed(states.get(id) ?? 'deleted')
        if (why === null) continue
        lookup.forget(id)
        closed.set(id, why)
      }
      return closed
    },
  }
}
