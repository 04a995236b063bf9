import { BerthError } from '../domain/errors.ts'
import type { Berth, Tenant } from '../domain/tenant.ts'
import type { ProvisionerDeps, TenantReference } from './provisioner.ts'
import type { SignUps } from './sign-ups.ts'

export type Found = { readonly tenant: Tenant; readonly berth: Berth | null }

// External ids hold no NUL, so the joint is unambiguous.
export const keyOf = (who: TenantReference): string =>
  typeof who === 'string' ? who : `${who.project}\0${who.identityTenant}\0${who.uid}`

/** Tenants with their berths, straight from the store. */
export const createTenantFinder = ({ store, signUp }: Pick<ProvisionerDeps, 'store'> & Pick<SignUps, 'signUp'>) => {
  const inFlight = new Map<string, Promise<Found>>()

  const find = async (who: TenantReference): Promise<Found | null> => {
    const tenant = await (typeof who === 'string' ? store.tenants.find(who) : store.tenants.findByExternalId(who))
    return tenant === null ? null : { tenant, berth: await store.berths.findByTenant(tenant.id) }
  }

  const findOrSignUp = async (who: TenantReference): Promise<Found> => {
    const found = await find(who)
    if (found !== null && !lacks(found, who)) return found
    const externalId = found?.tenant.externalId ?? (typeof who === 'string' ? null : who)
    if (externalId === null) throw new BerthError('not_found', 'there is no tenant of that id')
    return signUp(externalId, null)
  }

  return {
    find,
    /** A burst of runs of one tenant asks the store once. Nobody joins a look that began in an earlier `generation`. */
    findOrSignUp: (who: TenantReference, generation: number): Promise<Found> => {
      const key = `${generation}\0${keyOf(who)}`
      const running = inFlight.get(key) ?? findOrSignUp(who).finally(() => inFlight.delete(key))
      inFlight.set(key, running)
      return running
    },
  }
}

/** A berth, or a name: a tenant that was found with its berth is known by hash only until it comes. */
const lacks = ({ tenant, berth }: Found, who: TenantReference): boolean =>
  tenant.state === 'active' && (berth === null || (tenant.externalId === null && typeof who !== 'string'))
