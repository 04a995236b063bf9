import { LRUCache } from 'lru-cache'
import { BerthError } from '../domain/errors.ts'
import type { BerthId, TenantId } from '../domain/ids.ts'
import type { Berth, Tenant } from '../domain/tenant.ts'
import { createWake, type Wake } from '../domain/wake.ts'
import type { Provisioner, ProvisionerDeps, TenantBerth, TenantReference } from './provisioner.ts'
import type { SignUps } from './sign-ups.ts'

/** Tenants that are looked up at once; an entry is some 500 bytes. */
const CACHED_TENANTS = 10_000
/** While a berth is on its way, other processes may finish it: then only the store knows. */
const READY_POLL_MS = 500

export interface BerthLookup extends Pick<Provisioner, 'find' | 'ensureBerth'> {
  /** Whatever is remembered of the tenant is asked again. */
  forget(tenantId: TenantId): void
  /** Wakes who waits for this berth. */
  berthChanged(berth: Pick<Berth, 'id' | 'tenantId'>): void
}

type Found = { readonly tenant: Tenant; readonly berth: Berth | null }

// External ids hold no NUL, so the joint is unambiguous.
const keyOf = (who: TenantReference): string =>
  typeof who === 'string' ? who : `${who.project}\0${who.identityTenant}\0${who.uid}`

export const createBerthLookup = (
  deps: Pick<ProvisionerDeps, 'store' | 'clock'> & Pick<SignUps, 'signUp'>,
  options: { lookupTtlMs: number; readyWaitMs: number },
): BerthLookup => {
  const { store, clock } = deps
  const cache = new LRUCache<string, TenantBerth>({
    max: CACHED_TENANTS,
    ttl: options.lookupTtlMs,
    ttlResolution: 0,
    perf: { now: () => clock.monotonicMs() },
  })
  const inFlight = new Map<string, Promise<Found>>()
  const waiting = new Map<BerthId, Set<Wake>>()
  // A lookup that began before `forget` must not bring back what was forgotten.
  let generation = 0

  const find = async (who: TenantReference): Promise<Found | null> => {
    const tenant = await (typeof who === 'string' ? store.tenants.find(who) : store.tenants.findByExternalId(who))
    return tenant === null ? null : { tenant, berth: await store.berths.findByTenant(tenant.id) }
  }

  const findOrSignUp = async (who: TenantReference): Promise<Found> => {
    const found = await find(who)
    if (found !== null && (found.berth !== null || found.tenant.state !== 'active')) return found
    const externalId = found?.tenant.externalId ?? (typeof who === 'string' ? null : who)
    if (externalId === null) throw new BerthError('not_found', 'there is no tenant of that id')
    return deps.signUp(externalId, null)
  }

  /** A burst of runs of one tenant asks the store once. */
  const look = (who: TenantReference): Promise<Found> => {
    const key = keyOf(who)
    const running = inFlight.get(key) ?? findOrSignUp(who).finally(() => inFlight.delete(key))
    inFlight.set(key, running)
    return running
  }

  const remember = (who: TenantReference, entry: TenantBerth): TenantBerth => {
    cache.set(entry.tenant.id, entry)
    if (typeof who !== 'string') cache.set(keyOf(who), entry)
    return entry
  }

  const waitForChange = async (berthId: BerthId, ms: number, signal: AbortSignal): Promise<void> => {
    const wake = createWake(clock)
    const wakes = waiting.get(berthId) ?? new Set()
    waiting.set(berthId, wakes.add(wake))
    await wake.wait(Math.min(ms, READY_POLL_MS), signal)
    wakes.delete(wake)
    if (wakes.size === 0) waiting.delete(berthId)
    signal.throwIfAborted()
  }

  const waitUntilReady = async (who: TenantReference, signal: AbortSignal): Promise<TenantBerth> => {
    const deadline = clock.monotonicMs() + options.readyWaitMs
    for (;;) {
      const before = generation
      const { tenant, berth } = assertUsable(await look(who))
      if (berth.state === 'ready') return before === generation ? remember(who, { tenant, berth }) : { tenant, berth }
      const leftMs = deadline - clock.monotonicMs()
      if (leftMs <= 0) throw notReadyYet()
      await waitForChange(berth.id, leftMs, signal)
    }
  }

  return {
    find,
    ensureBerth: async (who, { signal }) => cache.get(keyOf(who)) ?? (await waitUntilReady(who, signal)),
    forget: (tenantId) => {
      generation += 1
      const entry = cache.get(tenantId)
      cache.delete(tenantId)
      if (entry?.tenant.externalId) cache.delete(keyOf(entry.tenant.externalId))
    },
    berthChanged: ({ id }) => {
      for (const wake of waiting.get(id) ?? []) wake.wake()
    },
  }
}

const notReadyYet = () =>
  new BerthError('tenant_provisioning', "the tenant's berth is still being made", { retryAfterSeconds: 2 })

/** @throws {BerthError} tenant_suspended, tenant_deleted, provisioning_failed, tenant_provisioning */
const assertUsable = ({ tenant, berth }: Found): TenantBerth => {
  switch (tenant.state) {
    case 'suspended':
      throw new BerthError('tenant_suspended', 'the tenant is suspended')
    case 'deprovisioning':
    case 'deleted':
      throw new BerthError('tenant_deleted', 'the tenant was deleted')
    case 'active':
  }
  if (berth === null || berth.state === 'deprovisioning' || berth.state === 'deleted') throw notReadyYet()
  if (berth.state === 'failed') {
    const data = { berthId: berth.id, lastError: berth.lastError }
    throw new BerthError('provisioning_failed', "the tenant's berth could not be made", { data, retryAfterSeconds: 60 })
  }
  return { tenant, berth }
}
