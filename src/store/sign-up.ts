import type { SignUp, TenantStore } from '../domain/ports/store.ts'
import { claimBerth } from './berth-claim.ts'
import type { Database } from './database.ts'
import { eventKeyOf } from './hashes.ts'
import { recordEvent } from './hook-events.ts'
import { parseBerth, parseTenant } from './rows.ts'
import { findLivingBerth, lockTenant } from './tenant-rows.ts'

type SignUpOptions = Parameters<TenantStore['signUp']>[0]

/** Tenant, berth and event in one transaction: a crash leaves all of them or none. */
export const signUp = (database: Database, options: SignUpOptions): Promise<SignUp> =>
  database.write(async (db) => {
    const { row, isNew } = await lockTenant(db, database.traits, { ...options, state: 'active' })
    const tenant = parseTenant(row)
    const { event, externalId, now } = options
    if (event !== null) {
      const key = eventKeyOf('sign-up', externalId.project, event.id)
      await recordEvent(db, { key, tenantId: row.id, now })
    }
    if (row.state === 'deprovisioning' || row.state === 'deleted') return { tenant, berth: null, outcome: 'tombstone' }
    const existing = isNew ? undefined : await findLivingBerth(db, row.id)
    const berth = existing ?? (await claimBerth(db, database.traits, { ...options, tenantId: row.id }))
    return { tenant, berth: parseBerth(berth), outcome: isNew ? 'created' : 'existing' }
  })
