import { type ExpressionBuilder, type Kysely, sql } from 'kysely'
import { BerthError } from '../domain/errors.ts'
import type { TenantId } from '../domain/ids.ts'
import type { BerthReport, DeprovisionedTenant, TenantStore } from '../domain/ports/store.ts'
import type { Receipt, Tenant } from '../domain/tenant.ts'
import type { Database, DatabaseTraits } from './database.ts'
import { eventKeyOf } from './hashes.ts'
import { recordEvent } from './hook-events.ts'
import { parseTenant } from './rows.ts'
import type { Tables, TenantRow } from './tables.ts'
import { lockTenantRow } from './tenant-move.ts'
import { lockTenant } from './tenant-rows.ts'

type DeletionOptions = Parameters<TenantStore['requestDeletion']>[0]

/** A lease stays with its owner: nobody may delete a berth while another still makes it. */
const markBerths = async (db: Kysely<Tables>, tenantId: TenantId): Promise<void> => {
  await db
    .updateTable('berths')
    .set({ state: 'deprovisioning', attempts: 0, next_attempt_at: 0 })
    .where((eb) => eb.or([eb('tenant_id', '=', tenantId), eb('moving_of', '=', tenantId)]))
    .where('state', 'not in', ['deprovisioning', 'deleted'])
    .execute()
  // What a move left goes at once, with the files that kept it.
  await db
    .updateTable('berths')
    .set({ keep_files: 0, next_attempt_at: 0 })
    .where('moving_of', '=', tenantId)
    .where('state', '<>', 'deleted')
    .execute()
}

const cancelRuns = async (db: Kysely<Tables>, tenantId: TenantId): Promise<void> => {
  await db
    .updateTable('runs')
    .set({ cancel_requested: 1 })
    .where('tenant_id', '=', tenantId)
    .where('finished_at', 'is', null)
    .execute()
}

const markTenant = (db: Kysely<Tables>, tenantId: TenantId): Promise<TenantRow> =>
  db
    .updateTable('tenants')
    .set({ state: 'deprovisioning' })
    .where('id', '=', tenantId)
    .returningAll()
    .executeTakeFirstOrThrow()

export const requestDeletion = (database: Database, options: DeletionOptions): Promise<Tenant> =>
  database.write(async (db) => {
    const { event, externalId, now } = options
    if (typeof externalId === 'string') return markAll(db, await lockById(db, database.traits, externalId))
    const { row } = await lockTenant(db, database.traits, { ...options, externalId, state: 'deleted' })
    if (event !== null && row.state !== 'deleted') {
      const key = eventKeyOf('deletion', externalId.project, event.id)
      await recordEvent(db, { key, tenantId: row.id, now })
    }
    return markAll(db, row)
  })

const markAll = async (db: Kysely<Tables>, row: TenantRow): Promise<Tenant> => {
  if (row.state === 'deleted') return parseTenant(row)
  await markBerths(db, row.id)
  await cancelRuns(db, row.id)
  return parseTenant(await markTenant(db, row.id))
}

const lockById = async (db: Kysely<Tables>, traits: DatabaseTraits, tenantId: TenantId): Promise<TenantRow> => {
  const row = await lockTenantRow(db, traits, tenantId)
  if (row === undefined) throw new BerthError('not_found', 'there is no tenant of that id')
  return row
}

const parseReport = (report: string | null): BerthReport =>
  report === null ? { deleted: [], verifiedAbsent: [] } : (JSON.parse(report) as BerthReport)

const reportsOf = async (db: Kysely<Tables>, tenantId: TenantId): Promise<DeprovisionedTenant['reports']> => {
  const berths = await db
    .selectFrom('berths')
    .select(['id', 'report'])
    .where((eb) => eb.or([eb('tenant_id', '=', tenantId), eb('moving_of', '=', tenantId)]))
    .orderBy('created_at')
    .orderBy('id')
    .execute()
  return berths.map(({ id, report }) => {
    const { deleted, verifiedAbsent } = parseReport(report)
    return { berthId: id, deleted, verifiedAbsent }
  })
}

const hasNoLivingBerth = (eb: ExpressionBuilder<Tables, 'tenants'>) =>
  eb.not(
    eb.exists(
      eb
        .selectFrom('berths')
        .select('berths.id')
        .where((berth) =>
          berth.or([
            berth('berths.tenant_id', '=', berth.ref('tenants.id')),
            berth('berths.moving_of', '=', berth.ref('tenants.id')),
          ]),
        )
        .where('berths.state', '<>', 'deleted'),
    ),
  )

export const listDeprovisioned = (database: Database, limit: number): Promise<readonly DeprovisionedTenant[]> =>
  database.read(async (db) => {
    const rows = await db
      .selectFrom('tenants')
      .selectAll()
      .where('state', '=', 'deprovisioning')
      .where(hasNoLivingBerth)
      .orderBy('created_at')
      .orderBy('id')
      .limit(limit)
      .execute()
    const tenants: DeprovisionedTenant[] = []
    for (const row of rows) tenants.push({ ...parseTenant(row), reports: await reportsOf(db, row.id) })
    return tenants
  })

const eraseTenant = async (db: Kysely<Tables>, tenantId: TenantId): Promise<void> => {
  await db.deleteFrom('idempotency_keys').where('tenant_id', '=', tenantId).execute()
  await db.deleteFrom('runs').where('tenant_id', '=', tenantId).execute()
  await db.deleteFrom('events').where('tenant_id', '=', tenantId).execute()
}

/** The tenant's row is updated first: runs that come in at the same moment wait for it and are then refused. */
export const finishDeprovision = async (
  database: Database,
  tenantId: TenantId,
  end: { receipt: Receipt; now: Date },
): Promise<void> => {
  await eraseAndTell(database, tenantId, end)
  if (database.traits.journalKeepsErased) await database.read((db) => sql`pragma wal_checkpoint(truncate)`.execute(db))
}

const eraseAndTell = (database: Database, tenantId: TenantId, end: { receipt: Receipt; now: Date }): Promise<void> =>
  database.write(async (db) => {
    const erased = { project: null, identity_tenant: null, uid: null }
    const finished = await db
      .updateTable('tenants')
      .set({ ...erased, state: 'deleted', deleted_at: end.now.getTime(), receipt: JSON.stringify(end.receipt) })
      .where('id', '=', tenantId)
      .where('state', '=', 'deprovisioning')
      .where(hasNoLivingBerth)
      .returning('id')
      .executeTakeFirst()
    if (finished !== undefined) return eraseTenant(db, tenantId)
    const row = await db.selectFrom('tenants').select('state').where('id', '=', tenantId).executeTakeFirst()
    if (row?.state === 'deleted') return
    throw new BerthError(
      'conflict',
      `The tenant cannot be finished: expected a deprovisioning tenant without berths, got ${row?.state ?? 'none'}`,
      { data: { tenantId } },
    )
  })
