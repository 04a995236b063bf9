import type { Kysely } from 'kysely'
import type { BerthId } from '../domain/ids.ts'
import type { BerthStore, Page, PageRequest } from '../domain/ports/store.ts'
import type { Berth, BerthState } from '../domain/tenant.ts'
import { countLivingBerths, insertBerth, lockBerthCount } from './berth-claim.ts'
import { leaseBerths, renewBerths, settleBerth } from './berth-work.ts'
import { parseCursor, toPage } from './cursor.ts'
import type { Database } from './database.ts'
import { oneMoreDue } from './owner-records.ts'
import { parseBerth } from './rows.ts'
import type { BerthRow, Tables } from './tables.ts'
import { findLivingBerth } from './tenant-rows.ts'

const parseOrNull = (row: BerthRow | undefined): Berth | null => (row === undefined ? null : parseBerth(row))

const countSpares = async (db: Kysely<Tables>, states: readonly BerthState[]): Promise<number> => {
  const { count } = await db
    .selectFrom('berths')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('tenant_id', 'is', null)
    .where('moving_of', 'is', null)
    .where('state', 'in', states)
    .executeTakeFirstOrThrow()
  return count
}

const insertSpare = (
  database: Database,
  { newBerthId, maxSpares, maxBerths, ...rest }: Parameters<BerthStore['insertSpare']>[0],
): Promise<Berth | null> =>
  database.write(async (db) => {
    await lockBerthCount(db, database.traits)
    if ((await countSpares(db, ['provisioning', 'ready'])) >= maxSpares) return null
    if ((await countLivingBerths(db)) >= maxBerths) return null
    return parseBerth(await insertBerth(db, { ...rest, id: newBerthId, tenantId: null }))
  })

const listBerths = (
  database: Database,
  { cursor, limit, states }: PageRequest & { states: readonly BerthState[] | null },
): Promise<Page<Berth>> =>
  database.read(async (db) => {
    const place = parseCursor(cursor)
    if (states?.length === 0) return { entries: [], nextCursor: null }
    let query = db
      .selectFrom('berths')
      .selectAll()
      .orderBy('created_at')
      .orderBy('id')
      .limit(limit + 1)
    if (states !== null) query = query.where('state', 'in', states)
    if (place !== null)
      query = query.where((eb) =>
        eb(eb.refTuple('created_at', 'id'), '>', eb.tuple(place.createdAt, place.id as BerthId)),
      )
    return toPage(await query.execute(), limit, parseBerth)
  })

const countByState = (database: Database): ReturnType<BerthStore['countByState']> =>
  database.read(async (db) => {
    const rows = await db
      .selectFrom('berths')
      .select((eb) => ['state' as const, eb.fn.countAll<number>().as('count')])
      .groupBy('state')
      .execute()
    const none = { provisioning: 0, ready: 0, failed: 0, deprovisioning: 0, deleted: 0 }
    const counts = Object.fromEntries(rows.map(({ state, count }) => [state, count]))
    return { ...none, ...counts, spare: await countSpares(db, ['ready']) }
  })

const countByCell = (database: Database): ReturnType<BerthStore['countByCell']> =>
  database.read(async (db) => {
    const rows = await db
      .selectFrom('berths')
      .select((eb) => [
        'state' as const,
        'backend' as const,
        'cell' as const,
        eb.fn.countAll<number>().as('count'),
        eb.fn
          .countAll<number>()
          .filterWhere((berth) => berth.and([berth('tenant_id', 'is', null), berth('moving_of', 'is', null)]))
          .as('spares'),
      ])
      .where('state', '!=', 'deleted')
      // As the index has them: nothing is sorted.
      .groupBy(['state', 'backend', 'cell'])
      .execute()
    return [...Map.groupBy(rows, ({ backend, cell }) => JSON.stringify([backend, cell])).values()].flatMap((group) => {
      const [first] = group
      if (first === undefined) return []
      const { backend, cell } = first
      const living = group.reduce((sum, { count }) => sum + count, 0)
      return [{ backend, cell, living, readySpares: group.find(({ state }) => state === 'ready')?.spares ?? 0 }]
    })
  })

const setState = (
  database: Database,
  berthId: BerthId,
  { from, to }: { from: readonly BerthState[]; to: BerthState },
): Promise<boolean> =>
  database.write(async (db) => {
    if (from.length === 0) return false
    const moved = await db
      .updateTable('berths')
      .set({
        state: to,
        attempts: 0,
        next_attempt_at: 0,
        ...(to === 'provisioning' ? { ready_at: null, ...oneMoreDue } : {}),
      })
      .where('id', '=', berthId)
      .where('state', 'in', from)
      .returning('id')
      .executeTakeFirst()
    return moved !== undefined
  })

export const createBerthStore = (database: Database): BerthStore => ({
  insertSpare: (options) => insertSpare(database, options),
  find: (berthId) =>
    database.read(async (db) =>
      parseOrNull(await db.selectFrom('berths').selectAll().where('id', '=', berthId).executeTakeFirst()),
    ),
  findByTenant: (tenantId) => database.read(async (db) => parseOrNull(await findLivingBerth(db, tenantId))),
  list: (options) => listBerths(database, options),
  countByState: () => countByState(database),
  countByCell: () => countByCell(database),
  lease: (options) => leaseBerths(database, options),
  renew: (berthIds, lease) => renewBerths(database, berthIds, lease),
  settle: (berthId, owner, outcome) => settleBerth(database, { berthId, owner }, outcome),
  setState: (berthId, from, to) => setState(database, berthId, { from, to }),
})
