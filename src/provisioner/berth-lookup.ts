import { LRUCache } from 'lru-cache'
import { BerthError } from '../domain/errors.ts'
import type { BerthId, TenantId } from '../domain/ids.ts'
import { createKeyedWakes } from '../domain/keyed-wakes.ts'
import type { Berth, TenantState } from '../domain/tenant.ts'
import { createCrowd } from './crowd.ts'
import type { ProvisionerDeps, TenantBerth, TenantReference } from './provisioner.ts'
import type { SignUps } from './sign-ups.ts'
import { createTenantFinder, type Found, keyOf } from './tenant-finder.ts'

/** Tenants that are looked up at once; an entry is some 500 bytes. */
const CACHED_TENANTS = 10_000
/** While a berth is on its way, other processes may finish it: then only the store knows. */
const READY_POLL_MS = 500

export interface BerthLookup {
  readonly find: (who: TenantReference) => Promise<Found | null>
  readonly ensureBerth: (who: TenantReference, options: { signal: AbortSignal }) => Promise<TenantBerth>
  /** Whatever is remembered of the tenant is asked again. */
  readonly forget: (tenantId: TenantId) => void
  /** Wakes who waits for this berth. */
  readonly berthChanged: (berth: Pick<Berth, 'id'>) => void
}

export const createBerthLookup = (
  deps: Pick<ProvisionerDeps, 'store' | 'clock'> & Pick<SignUps, 'signUp'>,
  options: { lookupTtlMs: number; readyWaitMs: number; waitingPerTenant: number },
): BerthLookup => {
  const { clock } = deps
  const cache = new LRUCache<TenantId, TenantBerth>({
    max: CACHED_TENANTS,
    ttl: options.lookupTtlMs,
    ttlResolution: 0,
    perf: { now: () => clock.monotonicMs() },
  })
  /** Whose an external id is never changes, so this needs no time limit. */
  const tenantIds = new LRUCache<string, TenantId>({ max: CACHED_TENANTS })
  const tenants = createTenantFinder(deps)
  const waits = createKeyedWakes<BerthId>(clock)
  const crowd = createCrowd(options.waitingPerTenant)
  // A lookup that began before `forget` must not bring back what was forgotten, nor answer who came after.
  let generation = 0

  const remember = (who: TenantReference, entry: TenantBerth): TenantBerth => {
    cache.set(entry.tenant.id, entry)
    if (typeof who !== 'string') tenantIds.set(keyOf(who), entry.tenant.id)
    return entry
  }

  const recall = (who: TenantReference): TenantBerth | undefined => {
    const tenantId = typeof who === 'string' ? who : tenantIds.get(keyOf(who))
    return tenantId === undefined ? undefined : cache.get(tenantId)
  }

  const look = async (who: TenantReference): Promise<TenantBerth> => {
    const before = generation
    const { tenant, berth } = assertUsable(await tenants.findOrSignUp(who, before))
    const entry = { tenant, berth }
    return berth.state === 'ready' && before === generation ? remember(who, entry) : entry
  }

  const waitUntilReady = async (who: TenantReference, first: Berth, signal: AbortSignal): Promise<TenantBerth> => {
    const deadline = clock.monotonicMs() + options.readyWaitMs
    for (let { id } = first; ;) {
      const leftMs = deadline - clock.monotonicMs()
      if (leftMs <= 0) throw notReadyYet()
      await waits.wait(id, Math.min(leftMs, READY_POLL_MS), signal)
      const entry = await look(who)
      if (entry.berth.state === 'ready') return entry
      id = entry.berth.id
    }
  }

  const ensureReady = async (who: TenantReference, signal: AbortSignal): Promise<TenantBerth> => {
    const { tenant, berth } = await look(who)
    if (berth.state === 'ready') return { tenant, berth }
    return crowd.join(tenant.id, () => waitUntilReady(who, berth, signal))
  }

  return {
    find: tenants.find,
    ensureBerth: async (who, { signal }) => recall(who) ?? (await ensureReady(who, signal)),
    forget: (tenantId) => {
      generation += 1
      cache.delete(tenantId)
    },
    berthChanged: ({ id }) => waits.wake(id),
  }
}

/** Null while the tenant may run code. */
export const whyClosed = (state: TenantState): BerthError | null => {
  switch (state) {
    case 'active':
      return null
    case 'suspended':
      return new BerthError('tenant_suspended', 'the tenant is suspended')
    case 'deprovisioning':
    case 'deleted':
      return new BerthError('tenant_deleted', 'the tenant was deleted')
    default:
      return state satisfies never
  }
}

const notReadyYet = () =>
  new BerthError('tenant_provisioning', "the tenant's berth is still being made", { retryAfterSeconds: 2 })

/** @throws {BerthError} tenant_suspended, tenant_deleted, provisioning_failed, tenant_provisioning */
const assertUsable = ({ tenant, berth }: Found): TenantBerth => {
  const closed = whyClosed(tenant.state)
  if (closed !== null) throw closed
  if (berth === null || berth.state === 'deprovisioning' || berth.state === 'deleted') throw notReadyYet()
  if (berth.state === 'failed') {
    const data = { berthId: berth.id, lastError: berth.lastError }
    throw new BerthError('provisioning_failed', "the tenant's berth could not be made", { data, retryAfterSeconds: 60 })
  }
  return { tenant, berth }
}
