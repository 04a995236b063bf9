import { BerthError } from '../domain/errors.ts'
import type { Berth, ExternalId, Tenant } from '../domain/tenant.ts'
import type { HttpDeps } from './http-deps.ts'

export interface KnownTenant {
  readonly tenant: Tenant
  readonly berth: Berth | null
}

/**
 * The tenant of a call that only reads. Nobody is signed up by reading; null for who was never seen.
 * @throws {BerthError} tenant_suspended, tenant_deleted
 */
export const findTenant = async (
  { provisioner }: Pick<HttpDeps, 'provisioner'>,
  who: ExternalId,
): Promise<KnownTenant | null> => {
  const found = await provisioner.find(who)
  if (found === null) return null
  const { state } = found.tenant
  if (state === 'active') return found
  throw state === 'suspended'
    ? new BerthError('tenant_suspended', 'The tenant is suspended.')
    : new BerthError('tenant_deleted', 'The tenant was deleted.')
}

/** @throws {BerthError} not_found as for any id that is not this tenant's */
export const knownTenant = async (deps: Pick<HttpDeps, 'provisioner'>, who: ExternalId): Promise<KnownTenant> => {
  const found = await findTenant(deps, who)
  if (found === null) throw new BerthError('not_found', 'There is no such thing.')
  return found
}
