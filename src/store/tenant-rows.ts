import type { Kysely } from 'kysely'
import type { TenantId } from '../domain/ids.ts'
import type { ExternalId } from '../domain/tenant.ts'
import type { DatabaseTraits } from './database.ts'
import { externalKeyOf } from './hashes.ts'
import type { BerthRow, Tables, TenantRow } from './tables.ts'

export const findTenantByKey = (db: Kysely<Tables>, externalId: ExternalId): Promise<TenantRow | undefined> =>
  db.selectFrom('tenants').selectAll().where('external_key', '=', externalKeyOf(externalId)).executeTakeFirst()

export const findLivingBerth = (db: Kysely<Tables>, tenantId: TenantId): Promise<BerthRow | undefined> =>
  db
    .selectFrom('berths')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('state', '<>', 'deleted')
    .executeTakeFirst()

interface NewTenant {
  readonly externalId: ExternalId
  readonly newTenantId: TenantId
  readonly now: Date
}

/**
 * The tenant's row, locked until the transaction ends. Made when there is none: whoever comes second waits at the unique
 * key for the first and then finds the row.
 */
export const lockTenant = async (
  db: Kysely<Tables>,
  traits: DatabaseTraits,
  tenant: NewTenant & { state: 'active' | 'deleted' },
): Promise<{ row: TenantRow; isNew: boolean }> => {
  const now = tenant.now.getTime()
  const isTombstone = tenant.state === 'deleted'
  const inserted = await db
    .insertInto('tenants')
    .values({
      id: tenant.newTenantId,
      external_key: externalKeyOf(tenant.externalId),
      project: isTombstone ? null : tenant.externalId.project,
      identity_tenant: isTombstone ? null : tenant.externalId.identityTenant,
      uid: isTombstone ? null : tenant.externalId.uid,
      state: tenant.state,
      created_at: now,
      deleted_at: isTombstone ? now : null,
    })
    .onConflict((conflict) => conflict.column('external_key').doNothing())
    .returningAll()
    .executeTakeFirst()
  if (inserted !== undefined) return { row: inserted, isNew: true }
  const row = await db
    .selectFrom('tenants')
    .selectAll()
    .where('external_key', '=', externalKeyOf(tenant.externalId))
    .$if(traits.concurrentWriters, (query) => query.forUpdate())
    .executeTakeFirstOrThrow()
  return { row, isNew: false }
}
