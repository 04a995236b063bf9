import { BerthError } from '../domain/errors.ts'
import type { BerthOptions } from './options.ts'

/** The headers that say who is calling, and for which tenant. */
export const credentialHeaders = async (options: BerthOptions): Promise<Record<string, string>> => {
  const { key, token, tenant, identityTenant } = options
  if (key !== undefined && token !== undefined)
    throw new BerthError(
      'config_invalid',
      'expected `key` or `token`, got both; a server uses a key, a browser a token',
    )
  const credential = key ?? (typeof token === 'function' ? await token() : token)
  return {
    ...(credential === undefined ? {} : { Authorization: `Bearer ${credential}` }),
    ...(tenant === undefined ? {} : { 'Berth-Tenant': headerOf('tenant', tenant) }),
    ...(identityTenant === undefined ? {} : { 'Berth-Identity-Tenant': headerOf('identityTenant', identityTenant) }),
  }
}

/** Ids are any Unicode and headers are not, so they travel percent-encoded. */
const headerOf = (name: string, value: string): string => {
  if (!value.isWellFormed())
    throw new BerthError('config_invalid', `${name}: expected well-formed Unicode, got half of a surrogate pair`)
  return encodeURIComponent(value)
}
