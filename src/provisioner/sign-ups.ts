import { BerthError, isBerthError } from '../domain/errors.ts'
import type { ExternalId, Tenant } from '../domain/tenant.ts'
import type { HookEvent, SignUp } from '../domain/ports/store.ts'
import type { ProvisionerDeps, ProvisionerOptions, TenantReference } from './provisioner.ts'

export interface SignUps {
  readonly signUp: (externalId: ExternalId, event: HookEvent | null) => Promise<SignUp>
  readonly requestDeletion: (who: TenantReference, event: HookEvent | null) => Promise<Tenant>
}

const quiet = new AbortController().signal

/** Who was given a spare runs code next. To make another one, and to record the owner, lets that go first. */
const AFTER_SPARE_MS = 250

/** The two promises that are durable before they are answered. `onWork` is called when there is something to do behind them. */
export const createSignUps = (
  deps: Pick<ProvisionerDeps, 'store' | 'berths' | 'clock' | 'ids' | 'events'>,
  options: Pick<ProvisionerOptions, 'pickCell' | 'maxBerths'>,
  { onWork }: { onWork: () => void },
): SignUps => ({
  signUp: async (externalId, event) => {
    const cell = await options.pickCell({ purpose: 'signUp' })
    const signUp = await deps.store.tenants
      .signUp({
        externalId,
        event,
        newTenantId: deps.ids.tenantId(),
        newBerthId: deps.ids.berthId(),
        backend: deps.berths.backend,
        // A tenant that has a berth needs no room, so that there is none is the store's to say.
        cell: cell ?? '',
        maxBerths: cell === null ? 0 : options.maxBerths,
        now: deps.clock.now(),
      })
      .catch((error: unknown) => {
        throw cell === null ? noRoom(error) : error
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
    if (signUp.berth?.state === 'ready') void deps.clock.sleep(AFTER_SPARE_MS, quiet).then(onWork)
    else if (signUp.outcome !== 'tombstone') onWork()
    return signUp
  },
  requestDeletion: async (who, event) => {
    const tenant = await deps.store.tenants.requestDeletion({
      externalId: who,
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

const noRoom = (error: unknown): unknown =>
  isBerthError(error) && error.code === 'berth_cap_reached'
    ? new BerthError('berth_cap_reached', 'No cell has room for another berth', { cause: error, retryAfterSeconds: 60 })
    : error
