import type { ExternalId, Tenant } from '../domain/tenant.ts'
import type { HookEvent, SignUp } from '../domain/ports/store.ts'
import type { ProvisionerDeps, ProvisionerOptions } from './provisioner.ts'

export interface SignUps {
  readonly signUp: (externalId: ExternalId, event: HookEvent | null) => Promise<SignUp>
  readonly requestDeletion: (externalId: ExternalId, event: HookEvent | null) => Promise<Tenant>
}

/** The two promises that are durable before they are answered. `onWork` is called when there is something to do behind them. */
export const createSignUps = (
  deps: Pick<ProvisionerDeps, 'store' | 'berths' | 'clock' | 'ids' | 'events'>,
  options: Pick<ProvisionerOptions, 'cell' | 'maxBerths'>,
  { onWork }: { onWork: () => void },
): SignUps => ({
  signUp: async (externalId, event) => {
    const signUp = await deps.store.tenants.signUp({
      externalId,
      event,
      newTenantId: deps.ids.tenantId(),
      newBerthId: deps.ids.berthId(),
      backend: deps.berths.backend,
      cell: options.cell,
      maxBerths: options.maxBerths,
      now: deps.clock.now(),
    })
    if (signUp.outcome === 'created') {
      deps.events.emit({
        code: 'tenant.signed_up',
        level: 'info',
        tenantId: signUp.tenant.id,
        berthId: signUp.berth?.id,
        detail: { spare: signUp.berth?.state === 'ready', hook: event !== null },
      })
    }
    if (signUp.outcome !== 'tombstone') onWork()
    return signUp
  },
  requestDeletion: async (externalId, event) => {
    const tenant = await deps.store.tenants.requestDeletion({
      externalId,
      event,
      newTenantId: deps.ids.tenantId(),
      now: deps.clock.now(),
    })
    deps.events.emit({
      code: 'tenant.deletion_requested',
      level: 'info',
      tenantId: tenant.id,
      detail: { state: tenant.state },
    })
    onWork()
    return tenant
  },
})
