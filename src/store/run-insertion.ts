import type { Kysely } from 'kysely'
import { BerthError } from '../domain/errors.ts'
import type { TenantId } from '../domain/ids.ts'
import type { IdempotencyKey, RunInsertion, RunStore, StoredRun } from '../domain/ports/store.ts'
import { isTerminal } from '../domain/run.ts'
import type { Database, DatabaseTraits } from './database.ts'
import { idempotencyKeyHash } from './hashes.ts'
import { parseRun, runColumns } from './rows.ts'
import type { RunRow, Tables } from './tables.ts'

const toRow = (stored: StoredRun): RunRow => ({
  ...runColumns(stored),
  id: stored.run.id,
  tenant_id: stored.tenantId,
  created_at: Date.parse(stored.run.createdAt),
  turn_at: Date.parse(stored.run.createdAt),
  attempts: 0,
  lease_owner: null,
  lease_until: 0,
  cancel_requested: 0,
  request: null,
})

/**
 * Which of these tenants exist and are in one of these states. Their rows stay locked against `finishDeprovision`, so
 * that no run of a deleted tenant slips in behind the deletion of its runs.
 */
const holdTenants = async (
  db: Kysely<Tables>,
  traits: DatabaseTraits,
  tenantIds: readonly TenantId[],
): Promise<ReadonlyMap<TenantId, string>> => {
  const rows = await db
    .selectFrom('tenants')
    .select(['id', 'state'])
    .where('id', 'in', tenantIds)
    .orderBy('id')
    .$if(traits.concurrentWriters, (query) => query.forShare())
    .execute()
  return new Map(rows.map(({ id, state }) => [id, state]))
}

const assertTenantTakesRuns = (state: string | undefined, tenantId: TenantId): void => {
  if (state === 'active' || state === 'suspended') return
  const detail = `expected an active tenant, got ${state ?? 'none'}`
  throw new BerthError('tenant_deleted', `The run was not taken: ${detail}`, { data: { tenantId } })
}

/** The row of the key decides between two at once: the second waits for the first and then reads it. */
const claimKey = async (
  db: Kysely<Tables>,
  { run, tenantId }: StoredRun,
  key: IdempotencyKey,
): Promise<RunInsertion> => {
  const keyHash = idempotencyKeyHash(key.key)
  const createdAt = Date.parse(run.createdAt)
  await db
    .deleteFrom('idempotency_keys')
    .where('tenant_id', '=', tenantId)
    .where('key_hash', '=', keyHash)
    .where('expires_at', '<=', createdAt)
    .execute()
  const inserted = await db
    .insertInto('idempotency_keys')
    .values({
      tenant_id: tenantId,
      key_hash: keyHash,
      request_hash: key.requestHash,
      run_id: run.id,
      expires_at: key.expiresAt.getTime(),
    })
    .onConflict((conflict) => conflict.columns(['tenant_id', 'key_hash']).doNothing())
    .returning('run_id')
    .executeTakeFirst()
  if (inserted !== undefined) return { outcome: 'created' }
  const first = await db
    .selectFrom('idempotency_keys')
    .innerJoin('runs', 'runs.id', 'idempotency_keys.run_id')
    .select(['runs.record', 'idempotency_keys.request_hash'])
    .where('idempotency_keys.tenant_id', '=', tenantId)
    .where('idempotency_keys.key_hash', '=', keyHash)
    .executeTakeFirstOrThrow()
  if (first.request_hash !== key.requestHash) return { outcome: 'conflict' }
  return { outcome: 'replayed', run: parseRun(first) }
}

const pendingColumns = (
  { stored, request, lease }: Parameters<RunStore['insert']>[0],
  timeOf: (moment: Date) => number,
): Partial<RunRow> => {
  if (isTerminal(stored.run.status)) return {}
  const held = lease === null ? {} : { lease_owner: lease.owner, lease_until: timeOf(lease.until), attempts: 1 }
  return { ...held, request: JSON.stringify(request) }
}

/**
 * A run counts as so much younger for each run of its tenant that waits before it. Whoever floods the queue then delays
 * himself; and since time goes on for all, nobody waits for ever.
 */
const TURN_MS = 60_000

const countPending = async (db: Kysely<Tables>, tenantId: TenantId): Promise<number> => {
  const { count } = await db
    .selectFrom('runs')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('tenant_id', '=', tenantId)
    .where('finished_at', 'is', null)
    .executeTakeFirstOrThrow()
  return count
}

export const insertRun = (database: Database, options: Parameters<RunStore['insert']>[0]): Promise<RunInsertion> =>
  database.write(async (db) => {
    const { stored, idempotency } = options
    const states = await holdTenants(db, database.traits, [stored.tenantId])
    assertTenantTakesRuns(states.get(stored.tenantId), stored.tenantId)
    const row = { ...toRow(stored), ...pendingColumns(options, await database.traits.leaseTime(db)) }
    const turnAt = row.turn_at + (await countPending(db, stored.tenantId)) * TURN_MS
    await db
      .insertInto('runs')
      .values({ ...row, turn_at: turnAt })
      .execute()
    if (idempotency === null) return { outcome: 'created' }
    const claimed = await claimKey(db, stored, idempotency)
    if (claimed.outcome !== 'created') await db.deleteFrom('runs').where('id', '=', stored.run.id).execute()
    return claimed
  })

/** Columns × rows stay below the 32,766 parameters that SQLite takes in one statement. */
const ROWS_PER_STATEMENT = 500

const upsertRuns = async (db: Kysely<Tables>, rows: readonly RunRow[]): Promise<void> => {
  await db
    .insertInto('runs')
    .values(rows)
    .onConflict((conflict) =>
      conflict
        .column('id')
        .doUpdateSet((eb) => ({
          berth_id: eb.ref('excluded.berth_id'),
          status: eb.ref('excluded.status'),
          finished_at: eb.ref('excluded.finished_at'),
          record: eb.ref('excluded.record'),
        }))
        .whereRef('runs.tenant_id', '=', 'excluded.tenant_id'),
    )
    .execute()
}

/** Runs of tenants that are gone meanwhile are dropped: a deleted user leaves nothing behind. */
export const recordRuns = (database: Database, runs: readonly StoredRun[]): Promise<void> =>
  database.writeBehind(async (db) => {
    if (runs.length === 0) return
    const states = await holdTenants(db, database.traits, [...new Set(runs.map(({ tenantId }) => tenantId))])
    const wanted = runs.filter(({ tenantId }) => (states.get(tenantId) ?? 'deleted') !== 'deleted')
    const rows = [...new Map(wanted.map((stored) => [stored.run.id, toRow(stored)])).values()]
    for (let start = 0; start < rows.length; start += ROWS_PER_STATEMENT)
      await upsertRuns(db, rows.slice(start, start + ROWS_PER_STATEMENT))
  })
