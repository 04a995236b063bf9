import type { Kysely } from 'kysely'
import { BerthError } from '../domain/errors.ts'
import type { BerthId, TenantId } from '../domain/ids.ts'
import type { Adoption, OwnerStore } from '../domain/ports/owner-store.ts'
import { insertBerth } from './berth-claim.ts'
import type { Database, DatabaseTraits } from './database.ts'
import type { BerthRow, Tables, TenantRow } from './tables.ts'
import { switchBerths } from './tenant-move.ts'
import { findLivingBerth } from './tenant-rows.ts'

type AdoptOptions = Parameters<OwnerStore['adopt']>[0]

const conflict = (detail: string): BerthError => new BerthError('conflict', detail)

const hasRow = async (db: Kysely<Tables>, berthId: BerthId): Promise<boolean> =>
  (await db.selectFrom('berths').select('id').where('id', '=', berthId).executeTakeFirst()) !== undefined

/** Locked until the transaction ends; whoever signs up at the same moment comes before or after. */
const lockOwner = async (
  db: Kysely<Tables>,
  traits: DatabaseTraits,
  { owner, now }: Pick<AdoptOptions, 'owner' | 'now'>,
): Promise<TenantRow> => {
  const { tenantId, externalKey, state } = owner
  const byKey = () =>
    db
      .selectFrom('tenants')
      .selectAll()
      .where('external_key', '=', externalKey)
      .$if(traits.concurrentWriters, (query) => query.forUpdate())
      .executeTakeFirst()
  const present = await byKey()
  if (present !== undefined) return present
  const namesake = await db.selectFrom('tenants').select('id').where('id', '=', tenantId).executeTakeFirst()
  if (namesake !== undefined) throw conflict(`tenant ${tenantId} has another external id than the record says`)
  await db
    .insertInto('tenants')
    .values({
      id: tenantId,
      external_key: externalKey,
      state: state === 'left' ? 'active' : state,
      created_at: Math.min(Date.parse(owner.claimedAt), now.getTime()),
    })
    .onConflict((clash) => clash.column('external_key').doNothing())
    .execute()
  const made = await byKey()
  if (made === undefined) throw conflict(`the row of tenant ${tenantId} could not be made`)
  return made
}

const asOwn = async (db: Kysely<Tables>, tenant: TenantRow, { owner, whole, now }: AdoptOptions): Promise<void> => {
  if ((await findLivingBerth(db, tenant.id)) !== undefined) throw conflict('the tenant has a berth already')
  await setRow(db, owner.berthId, {
    tenant_id: tenant.id,
    claimed_at: Date.parse(owner.claimedAt),
    ...(whole ? { state: 'ready', ready_at: now.getTime() } : {}),
    owner_due: 1,
  })
}

const inPlace = async (db: Kysely<Tables>, tenant: TenantRow, options: AdoptOptions): Promise<void> => {
  const { owner, whole, now } = options
  await assertNoMove(db, tenant.id)
  await setRow(db, owner.berthId, { moving_of: tenant.id, keep_files: 1 })
  // What the tenant puts into the other meanwhile keeps that one from being destroyed.
  await switchBerths(db, {
    berthId: owner.berthId,
    tenantId: tenant.id,
    claimedAt: Date.parse(owner.claimedAt),
    retireAt: now.getTime(),
  })
  if (whole) await setRow(db, owner.berthId, { state: 'ready', ready_at: now.getTime() })
}

const asLeft = async (db: Kysely<Tables>, tenant: TenantRow, { owner }: AdoptOptions): Promise<void> => {
  await assertNoMove(db, tenant.id)
  await setRow(db, owner.berthId, { moving_of: tenant.id, keep_files: 1, state: 'deprovisioning' })
}

const toDelete = async (db: Kysely<Tables>, tenant: TenantRow, { owner }: AdoptOptions): Promise<void> => {
  const state = 'deprovisioning'
  if (tenant.state === 'active' || tenant.state === 'suspended') return setRow(db, owner.berthId, { state })
  // A tombstone gets its receipt once this berth is gone too.
  await db.updateTable('tenants').set({ state }).where('id', '=', tenant.id).execute()
  await setRow(db, owner.berthId, { state, tenant_id: tenant.id })
}

const steps: Readonly<
  Record<Adoption, (db: Kysely<Tables>, tenant: TenantRow, options: AdoptOptions) => Promise<void>>
> = { own: asOwn, replace: inPlace, left: asLeft, deprovision: toDelete }

export const adopt = (database: Database, options: AdoptOptions): Promise<boolean> =>
  database.write(async (db) => {
    const { owner, adoption } = options
    if (await hasRow(db, owner.berthId)) return false
    const tenant = await lockOwner(db, database.traits, options)
    const isClosed = tenant.state === 'deprovisioning' || tenant.state === 'deleted'
    if (isClosed && adoption !== 'deprovision') throw conflict('the tenant was deleted meanwhile')
    await insertBerth(db, { id: owner.berthId, tenantId: null, ...options })
    await steps[adoption](db, tenant, options)
    if (adoption !== 'deprovision' && owner.state === 'suspended') await suspend(db, tenant.id)
    return true
  })

export const adoptSpare = (
  database: Database,
  { berthId, ...found }: Parameters<OwnerStore['adoptSpare']>[0],
): Promise<boolean> =>
  database.write(async (db) => {
    if (await hasRow(db, berthId)) return false
    await insertBerth(db, { id: berthId, tenantId: null, ...found })
    return true
  })

const setRow = async (db: Kysely<Tables>, berthId: BerthId, changes: Partial<BerthRow>): Promise<void> => {
  await db.updateTable('berths').set(changes).where('id', '=', berthId).execute()
}

const suspend = async (db: Kysely<Tables>, tenantId: TenantId): Promise<void> => {
  await db.updateTable('tenants').set({ state: 'suspended' }).where('id', '=', tenantId).execute()
}

const assertNoMove = async (db: Kysely<Tables>, tenantId: TenantId): Promise<void> => {
  const moving = await db
    .selectFrom('berths')
    .select('id')
    .where('moving_of', '=', tenantId)
    .where('state', '<>', 'deleted')
    .executeTakeFirst()
  if (moving !== undefined) throw conflict('another berth of the tenant is being replaced or deleted; wait for its end')
}
