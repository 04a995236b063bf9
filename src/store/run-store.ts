import type { Kysely } from 'kysely'
import type { RunId, TenantId } from '../domain/ids.ts'
import type { BerthRuns, Page, PageRequest, RunStore, StoredRun } from '../domain/ports/store.ts'
import type { Run, RunStatus } from '../domain/run.ts'
import { parseCursor, toPage } from './cursor.ts'
import type { Database } from './database.ts'
import { EVENT_RETENTION_MS } from './hook-events.ts'
import { parseRun, parseStoredRun } from './rows.ts'
import { insertRun, recordRuns } from './run-insertion.ts'
import { heartbeatRuns, leaseRuns, requestCancel, settleRun } from './run-queue.ts'
import type { Tables } from './tables.ts'

const findRun = (database: Database, tenantId: TenantId, runId: RunId): Promise<StoredRun | null> =>
  database.read(async (db) => {
    const row = await db
      .selectFrom('runs')
      .select(['record', 'tenant_id', 'berth_id'])
      .where('id', '=', runId)
      .where('tenant_id', '=', tenantId)
      .executeTakeFirst()
    return row === undefined ? null : parseStoredRun(row)
  })

const listRuns = (
  database: Database,
  { tenantId, cursor, limit, status }: PageRequest & { tenantId: TenantId; status: RunStatus | null },
): Promise<Page<Run>> =>
  database.read(async (db) => {
    const place = parseCursor(cursor)
    let query = db
      .selectFrom('runs')
      .select(['id', 'created_at', 'record'])
      .where('tenant_id', '=', tenantId)
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      .limit(limit + 1)
    if (status !== null) query = query.where('status', '=', status)
    if (place !== null)
      query = query.where((eb) =>
        eb(eb.refTuple('created_at', 'id'), '<', eb.tuple(place.createdAt, place.id as RunId)),
      )
    return toPage(await query.execute(), limit, parseRun)
  })

const countByBerth = (database: Database, since: Date): Promise<readonly BerthRuns[]> =>
  database.read(async (db) => {
    const rows = await db
      .selectFrom('runs')
      .select(({ fn, eb }) => [
        'berth_id' as const,
        fn.countAll<number>().as('runs'),
        fn.count<number>(eb.case().when('status', '=', 'system_error').then(1).end()).as('failures'),
        fn.max('finished_at').as('last_at'),
      ])
      .where('berth_id', 'is not', null)
      .where('finished_at', '>=', since.getTime())
      .groupBy('berth_id')
      .execute()
    return rows.flatMap(({ berth_id: berthId, runs, failures, last_at: lastAt }) =>
      berthId === null ? [] : [{ berthId, runs, platformFailures: failures, lastAt: new Date(lastAt ?? 0) }],
    )
  })

const deleteExpiredKeys = (db: Kysely<Tables>, now: Date) =>
  db.deleteFrom('idempotency_keys').where('expires_at', '<=', now.getTime()).execute()

const deleteOldEvents = (db: Kysely<Tables>, now: Date) =>
  db
    .deleteFrom('events')
    .where('received_at', '<=', now.getTime() - EVENT_RETENTION_MS)
    .execute()

const deleteExpired = (
  database: Database,
  { before, now, limit }: Parameters<RunStore['deleteExpired']>[0],
): Promise<readonly StoredRun[]> =>
  database.write(async (db) => {
    await deleteExpiredKeys(db, now)
    await deleteOldEvents(db, now)
    const old = await db
      .selectFrom('runs')
      .select('id')
      .where('finished_at', 'is not', null)
      .where('finished_at', '<', before.getTime())
      .orderBy('finished_at')
      .limit(limit)
      .$if(database.traits.concurrentWriters, (query) => query.forUpdate().skipLocked())
      .execute()
    if (old.length === 0) return []
    const ids = old.map(({ id }) => id)
    const rows = await db
      .deleteFrom('runs')
      .where('id', 'in', ids)
      .returning(['record', 'tenant_id', 'berth_id'])
      .execute()
    return rows.map(parseStoredRun)
  })

export const createRunStore = (database: Database): RunStore => ({
  insert: (options) => insertRun(database, options),
  record: (runs) => recordRuns(database, runs),
  lease: (options) => leaseRuns(database, options),
  settle: (runId, lease, stored) => settleRun(database, { runId, lease }, stored),
  heartbeat: (runIds, lease) => heartbeatRuns(database, runIds, lease),
  requestCancel: (tenantId, runId, now) => requestCancel(database, { tenantId, runId }, now),
  find: (tenantId, runId) => findRun(database, tenantId, runId),
  list: (options) => listRuns(database, options),
  countByBerth: ({ since }) => countByBerth(database, since),
  deleteExpired: (options) => deleteExpired(database, options),
})
