import type { Kysely } from 'kysely'
import type { SignUp, TenantStore } from '../domain/ports/store.ts'
import type { ExternalId } from '../domain/tenant.ts'
import { assertProjectHasRoom, claimBerth } from './berth-claim.ts'
import type { Database } from './database.ts'
import { eventKeyOf } from './hashes.ts'
import { recordEvent } from './hook-events.ts'
import { parseBerth, parseTenant } from './rows.ts'
import type { Tables, TenantRow } from './tables.ts'
import { findLivingBerth, lockTenant } from './tenant-rows.ts'

type SignUpOptions = Parameters<TenantStore['signUp']>[0]

/** Tenant, berth and event in one transaction: a crash leaves all of them or none. */
export const signUp = (database: Database, options: SignUpOptions): Promise<SignUp> =>
  database.write(async (db) => {
    const { row: locked, isNew } = await lockTenant(db, database.traits, { ...options, state: 'active' })
    const row = await named(db, locked, options.externalId)
    const tenant = parseTenant(row)
    const { event, externalId, now } = options
    if (event !== null) {
      const key = eventKeyOf('sign-up', externalId.project, event.id)
      await recordEvent(db, { key, tenantId: row.id, now })
    }
    if (row.state === 'deprovisioning' || row.state === 'deleted') return { tenant, berth: null, outcome: 'tombstone' }
    const existing = isNew ? undefined : await findLivingBerth(db, row.id)
    if (existing === undefined) await assertProjectHasRoom(db, database.traits, options)
    const berth = existing ?? (await claimBerth(db, database.traits, { ...options, tenantId: row.id }))
    return { tenant, berth: parseBerth(berth), outcome: isNew ? 'created' : 'existing' }
  })

/** A tenant that was made again from what lay with its berth is known by hash only, until it comes and brings its name. */
const named = async (db: Kysely<Tables>, row: TenantRow, { project, identityTenant, uid }: ExternalId) => {
  if (row.project !== null || (row.state !== 'active' && row.state !== 'suspended')) return row
  return db
    .updateTable('tenants')
    .set({ project, identity_tenant: identityTenant, uid })
    .where('id', '=', row.id)
    .returningAll()
    .executeTakeFirstOrThrow()
}
