import { BerthError } from '../domain/errors.ts'
import type { TenantId } from '../domain/ids.ts'
import type { Berth, Tenant } from '../domain/tenant.ts'
import type { Closings } from './closings.ts'
import type { Provisioner, ProvisionerDeps } from './provisioner.ts'

type Deps = Pick<ProvisionerDeps, 'store' | 'berths' | 'events' | 'clock'> & {
  readonly closings: Pick<Closings, 'changed'>
}

/** An operator waits for the answer; what takes longer is ended by repeating the command. */
const DEADLINE_MS = 60_000

/** Stops one tenant and lets it go on, rows and resources. */
export const createSuspension = (deps: Deps): Pick<Provisioner, 'suspend' | 'resume'> => ({
  suspend: async (tenantId) => {
    const tenant = await setRow(deps, tenantId, true)
    await onBerth(deps, tenantId, (berth, signal) => deps.berths.suspend(berth.id, { signal }))
    deps.events.emit({ code: 'tenant.suspended', level: 'info', tenantId })
    return tenant
  },
  // Runs are let in last: until then they would fail for reasons that nobody can explain to their user.
  resume: async (tenantId) => {
    await assertOpenOrSuspended(deps, tenantId)
    await onBerth(deps, tenantId, (berth, signal) => deps.berths.resume(berth.id, { signal }))
    const tenant = await setRow(deps, tenantId, false)
    deps.events.emit({ code: 'tenant.resumed', level: 'info', tenantId })
    return tenant
  },
})

const setRow = async ({ store, closings }: Deps, tenantId: TenantId, suspended: boolean): Promise<Tenant> => {
  const tenant = await store.tenants.setSuspended(tenantId, suspended)
  if (tenant === null) throw await whyNot(store, tenantId)
  closings.changed(tenant)
  return tenant
}

const onBerth = async (
  { store, clock }: Deps,
  tenantId: TenantId,
  work: (berth: Berth, signal: AbortSignal) => Promise<void>,
): Promise<void> => {
  const berth = await store.berths.findByTenant(tenantId)
  // A berth on its way is suspended when it is made; one that goes away needs nothing.
  if (berth?.state !== 'ready') return
  const deadline = new AbortController()
  const ended = new AbortController()
  const late = new BerthError('backend_unavailable', 'The berth did not follow in time; repeat the command')
  void clock.sleep(DEADLINE_MS, ended.signal).then(
    () => deadline.abort(late),
    () => undefined,
  )
  try {
    await work(berth, deadline.signal)
  } finally {
    ended.abort()
  }
}

const assertOpenOrSuspended = async ({ store }: Deps, tenantId: TenantId): Promise<void> => {
  const tenant = await store.tenants.find(tenantId)
  if (tenant?.state !== 'active' && tenant?.state !== 'suspended') throw await whyNot(store, tenantId)
}

const whyNot = async (store: ProvisionerDeps['store'], tenantId: TenantId): Promise<BerthError> => {
  const tenant = await store.tenants.find(tenantId)
  if (tenant === null) return new BerthError('not_found', 'there is no tenant of that id')
  return new BerthError('conflict', `expected an active or suspended tenant, got one that is ${tenant.state}`)
}
