import { type Kysely } from 'kysely'
import { BerthError } from '../domain/errors.ts'
import type { BerthId, TenantId } from '../domain/ids.ts'
import type { TenantStore } from '../domain/ports/store.ts'
import type { Berth } from '../domain/tenant.ts'
import { countLivingBerths, insertBerth, lockBerthCount } from './berth-claim.ts'
import type { Database, DatabaseTraits } from './database.ts'
import { oneMoreDue } from './owner-records.ts'
import { parseBerth } from './rows.ts'
import type { BerthRow, Tables, TenantRow } from './tables.ts'
import { findLivingBerth } from './tenant-rows.ts'

type MoveOptions = Parameters<TenantStore['beginMove']>[0]

const conflict = (detail: string): BerthError => new BerthError('conflict', detail)

export const lockTenantRow = (
  db: Kysely<Tables>,
  traits: DatabaseTraits,
  tenantId: TenantId,
): Promise<TenantRow | undefined> =>
  db
    .selectFrom('tenants')
    .selectAll()
    .where('id', '=', tenantId)
    .$if(traits.concurrentWriters, (query) => query.forUpdate())
    .executeTakeFirst()

const findMoving = (db: Kysely<Tables>, tenantId: TenantId): Promise<BerthRow | undefined> =>
  db
    .selectFrom('berths')
    .selectAll()
    .where('moving_of', '=', tenantId)
    .where('state', '<>', 'deleted')
    .executeTakeFirst()

const assertMovable = (tenant: TenantRow | undefined, berth: BerthRow | undefined, to: string): BerthRow => {
  if (tenant === undefined) throw new BerthError('not_found', 'there is no tenant of that id')
  if (tenant.state !== 'active') throw conflict(`expected an active tenant to move, got one that is ${tenant.state}`)
  if (berth?.state !== 'ready')
    throw conflict(`expected a tenant whose berth is ready, got ${berth === undefined ? 'none' : `one ${berth.state}`}`)
  if (berth.backend === to) throw conflict(`the tenant's berth is on ${to} already`)
  return berth
}

/** Null when none is on its way. */
const samePending = (moving: BerthRow | undefined, backend: string): BerthRow | null => {
  if (moving === undefined) return null
  if (moving.state === 'provisioning' && moving.backend === backend) return moving
  const what =
    moving.state === 'provisioning' ? `is on its way to ${moving.backend}` : 'left a berth that is being deleted'
  throw conflict(`an earlier move of this tenant ${what}; wait for its end`)
}

export const beginMove = (database: Database, options: MoveOptions): Promise<Berth> =>
  database.write(async (db) => {
    const { tenantId, backend, newBerthId, maxBerths, now, keepFiles } = options
    const tenant = await lockTenantRow(db, database.traits, tenantId)
    const present = assertMovable(tenant, await findLivingBerth(db, tenantId), backend)
    const pending = samePending(await findMoving(db, tenantId), backend)
    if (pending !== null) return parseBerth(pending)
    await lockBerthCount(db, database.traits)
    if ((await countLivingBerths(db)) >= maxBerths)
      throw new BerthError('berth_cap_reached', `The cap of ${maxBerths} berths leaves no room to move a tenant`, {
        retryAfterSeconds: 60,
      })
    await insertBerth(db, { id: newBerthId, tenantId: null, backend, cell: present.cell, now })
    const row = await db
      .updateTable('berths')
      .set({ moving_of: tenantId, keep_files: keepFiles ? 1 : 0 })
      .where('id', '=', newBerthId)
      .returningAll()
      .executeTakeFirstOrThrow()
    return parseBerth(row)
  })

export const findMove = (database: Database, tenantId: TenantId): Promise<Berth | null> =>
  database.read(async (db) => {
    const row = await findMoving(db, tenantId)
    return row === undefined ? null : parseBerth(row)
  })

/**
 * The tenant whose place a berth is to take; its row is locked, before any row of a berth as a deletion does it.
 * Null for a berth that nobody moves to.
 */
export const lockMover = async (
  db: Kysely<Tables>,
  traits: DatabaseTraits,
  berthId: BerthId,
): Promise<TenantId | null> => {
  const row = await db.selectFrom('berths').select('moving_of').where('id', '=', berthId).executeTakeFirst()
  const tenantId = row?.moving_of ?? null
  if (tenantId !== null) await lockTenantRow(db, traits, tenantId)
  return tenantId
}

interface Switch {
  readonly berthId: BerthId
  readonly tenantId: TenantId
  readonly claimedAt: number
  /** When the berth that was left may be destroyed. */
  readonly retireAt: number
}

/** The new berth is the tenant's from here on, and the old one is to go: both, or after a crash neither. */
export const switchBerths = async (
  db: Kysely<Tables>,
  { berthId, tenantId, claimedAt, retireAt }: Switch,
): Promise<void> => {
  const { keep_files } = await db
    .updateTable('berths')
    .set({ moving_of: null })
    .where('id', '=', berthId)
    .returning('keep_files')
    .executeTakeFirstOrThrow()
  await db
    .updateTable('berths')
    .set({
      tenant_id: null,
      moving_of: tenantId,
      keep_files,
      state: 'deprovisioning',
      attempts: 0,
      next_attempt_at: retireAt,
      ...oneMoreDue,
    })
    .where('tenant_id', '=', tenantId)
    .where('state', '<>', 'deleted')
    .execute()
  await db
    .updateTable('berths')
    .set({ tenant_id: tenantId, claimed_at: claimedAt, keep_files: 0, ...oneMoreDue })
    .where('id', '=', berthId)
    .execute()
}
