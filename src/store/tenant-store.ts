import type { TenantId } from '../domain/ids.ts'
import type { Page, PageRequest, TenantStore } from '../domain/ports/store.ts'
import type { ExternalId, Tenant, TenantState } from '../domain/tenant.ts'
import { parseCursor, toPage } from './cursor.ts'
import type { Database } from './database.ts'
import { finishDeprovision, listDeprovisioned, requestDeletion } from './deprovision.ts'
import { externalKeyOf } from './hashes.ts'
import { setOwnerDue } from './owner-records.ts'
import { parseTenant } from './rows.ts'
import { signUp } from './sign-up.ts'
import type { TenantRow } from './tables.ts'
import { beginMove, findMove } from './tenant-move.ts'
import { findTenantByKey } from './tenant-rows.ts'

const parseOrNull = (row: TenantRow | undefined): Tenant | null => (row === undefined ? null : parseTenant(row))

const listTenants = (
  database: Database,
  { cursor, limit, state }: PageRequest & { state: TenantState | null },
): Promise<Page<Tenant>> =>
  database.read(async (db) => {
    const place = parseCursor(cursor)
    let query = db
      .selectFrom('tenants')
      .selectAll()
      .orderBy('created_at')
      .orderBy('id')
      .limit(limit + 1)
    if (state !== null) query = query.where('state', '=', state)
    if (place !== null)
      query = query.where((eb) =>
        eb(eb.refTuple('created_at', 'id'), '>', eb.tuple(place.createdAt, place.id as TenantId)),
      )
    return toPage(await query.execute(), limit, parseTenant)
  })

const findByExternalIds = (
  database: Database,
  externalIds: readonly ExternalId[],
): Promise<readonly (Tenant | null)[]> =>
  database.read(async (db) => {
    const keys = externalIds.map(externalKeyOf)
    const rows =
      keys.length === 0 ? [] : await db.selectFrom('tenants').selectAll().where('external_key', 'in', keys).execute()
    const byKey = new Map(rows.map((row) => [row.external_key, parseTenant(row)]))
    return keys.map((key) => byKey.get(key) ?? null)
  })

const statesOf = (database: Database, tenantIds: readonly TenantId[]): Promise<ReadonlyMap<TenantId, TenantState>> =>
  database.read(async (db) => {
    if (tenantIds.length === 0) return new Map()
    const rows = await db.selectFrom('tenants').select(['id', 'state']).where('id', 'in', tenantIds).execute()
    return new Map(rows.map(({ id, state }) => [id, state]))
  })

const setSuspended = (database: Database, tenantId: TenantId, suspended: boolean): Promise<Tenant | null> =>
  database.write(async (db) => {
    const tenant = await db
      .updateTable('tenants')
      .set({ state: suspended ? 'suspended' : 'active' })
      .where('id', '=', tenantId)
      .where('state', 'in', ['active', 'suspended'])
      .returningAll()
      .executeTakeFirst()
    if (tenant !== undefined) await setOwnerDue(db, tenantId)
    return parseOrNull(tenant)
  })

export const createTenantStore = (database: Database): TenantStore => ({
  signUp: (options) => signUp(database, options),
  requestDeletion: (options) => requestDeletion(database, options),
  find: (tenantId) =>
    database.read(async (db) =>
      parseOrNull(await db.selectFrom('tenants').selectAll().where('id', '=', tenantId).executeTakeFirst()),
    ),
  findByExternalId: (externalId) => database.read(async (db) => parseOrNull(await findTenantByKey(db, externalId))),
  findByExternalIds: (externalIds) => findByExternalIds(database, externalIds),
  list: (options) => listTenants(database, options),
  statesOf: (tenantIds) => statesOf(database, tenantIds),
  setSuspended: (tenantId, suspended) => setSuspended(database, tenantId, suspended),
  beginMove: (options) => beginMove(database, options),
  findMove: (tenantId) => findMove(database, tenantId),
  listDeprovisioned: ({ limit }) => listDeprovisioned(database, limit),
  finishDeprovision: (tenantId, receipt, now) => finishDeprovision(database, tenantId, { receipt, now }),
})
