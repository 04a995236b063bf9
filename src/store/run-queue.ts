import type { Kysely } from 'kysely'
import type { RunId, TenantId } from '../domain/ids.ts'
import type { Lease, QueuedRun, RunStore, StoredRun } from '../domain/ports/store.ts'
import { createFailure, isTerminal, type Run } from '../domain/run.ts'
import type { Database } from './database.ts'
import { parseQueuedRun, parseRun, parseStoredRun, runColumns } from './rows.ts'
import type { RunRow, Tables } from './tables.ts'

const freed = { lease_owner: null, lease_until: 0, request: null }

const toCanceled = (run: Run, now: Date): Run => ({
  ...run,
  status: 'canceled',
  failure: createFailure('canceled', 'The run was canceled before it finished'),
  timings: { ...run.timings, totalMs: Math.max(0, now.getTime() - Date.parse(run.createdAt)) },
  finishedAt: now.toISOString(),
})

const cancelNow = async (db: Kysely<Tables>, row: RunRow, now: Date): Promise<Run> => {
  const run = toCanceled(parseRun(row), now)
  const changes = runColumns({ ...parseStoredRun(row), run })
  await db
    .updateTable('runs')
    .set({ ...changes, ...freed, cancel_requested: 1 })
    .where('id', '=', row.id)
    .execute()
  return run
}

const isQueued = (row: RunRow): row is RunRow & { request: string } => row.request !== null

export const leaseRuns = (
  database: Database,
  { lease, limit, now }: Parameters<RunStore['lease']>[0],
): Promise<readonly QueuedRun[]> =>
  database.write(async (db) => {
    const timeOf = await database.traits.leaseTime(db)
    const due = await db
      .selectFrom('runs')
      .selectAll()
      .where('finished_at', 'is', null)
      .where('lease_until', '<=', timeOf(now))
      .orderBy('turn_at')
      .orderBy('id')
      .limit(limit)
      .$if(database.traits.concurrentWriters, (query) => query.forUpdate().skipLocked())
      .execute()
    for (const row of due) if (row.cancel_requested === 1) await cancelNow(db, row, now)
    const rows = due.filter((row) => row.cancel_requested === 0).filter(isQueued)
    if (rows.length === 0) return []
    await db
      .updateTable('runs')
      .set((eb) => ({
        lease_owner: lease.owner,
        lease_until: timeOf(lease.until),
        attempts: eb('attempts', '+', 1),
      }))
      .where(
        'id',
        'in',
        rows.map(({ id }) => id),
      )
      .execute()
    return rows.map((row) => parseQueuedRun({ ...row, attempts: row.attempts + 1 }))
  })

export const settleRun = (
  database: Database,
  work: { runId: RunId; lease: Lease },
  stored: StoredRun,
): Promise<boolean> =>
  database.write(async (db) => {
    const timeOf = await database.traits.leaseTime(db)
    const held = isTerminal(stored.run.status) ? freed : { lease_until: timeOf(work.lease.until) }
    const settled = await db
      .updateTable('runs')
      .set({ ...runColumns(stored), ...held })
      .where('id', '=', work.runId)
      .where('tenant_id', '=', stored.tenantId)
      .where('lease_owner', '=', work.lease.owner)
      .where('finished_at', 'is', null)
      .returning('id')
      .executeTakeFirst()
    return settled !== undefined
  })

export const heartbeatRuns = (
  database: Database,
  runIds: readonly RunId[],
  lease: Lease,
): ReturnType<RunStore['heartbeat']> =>
  database.write(async (db) => {
    if (runIds.length === 0) return { cancel: [], lost: [] }
    const timeOf = await database.traits.leaseTime(db)
    await db
      .updateTable('runs')
      .set({ lease_until: timeOf(lease.until) })
      .where('id', 'in', runIds)
      .where('lease_owner', '=', lease.owner)
      .where('finished_at', 'is', null)
      .execute()
    const rows = await db
      .selectFrom('runs')
      .select(['id', 'lease_owner', 'cancel_requested'])
      .where('id', 'in', runIds)
      .execute()
    const cancel = new Set(rows.filter((row) => row.cancel_requested === 1).map(({ id }) => id))
    const held = new Set(rows.filter((row) => row.lease_owner === lease.owner).map(({ id }) => id))
    return { cancel: [...cancel], lost: runIds.filter((id) => !cancel.has(id) && !held.has(id)) }
  })

export const requestCancel = (
  database: Database,
  { tenantId, runId }: { tenantId: TenantId; runId: RunId },
  now: Date,
): Promise<Run | null> =>
  database.write(async (db) => {
    const row = await db
      .selectFrom('runs')
      .selectAll()
      .where('id', '=', runId)
      .where('tenant_id', '=', tenantId)
      .$if(database.traits.concurrentWriters, (query) => query.forUpdate())
      .executeTakeFirst()
    if (row === undefined) return null
    if (row.finished_at !== null) return parseRun(row)
    if (row.status === 'queued') return cancelNow(db, row, now)
    await db.updateTable('runs').set({ cancel_requested: 1 }).where('id', '=', runId).execute()
    return parseRun(row)
  })
