import { type ExpressionBuilder, type Kysely, sql } from 'kysely'
import type { BerthId } from '../domain/ids.ts'
import type { BerthStore, Lease, LeasedBerth } from '../domain/ports/store.ts'
import type { Database } from './database.ts'
import { parseBerth, storableText } from './rows.ts'
import type { BerthRow, Tables } from './tables.ts'
import { lockMover, switchBerths } from './tenant-move.ts'

type Outcome = Parameters<BerthStore['settle']>[2]

/** Whoever waits at a browser comes first; a spare that nobody asked for comes last. */
const urgency = sql<number>`case when state = 'deprovisioning' then 1 when tenant_id is null and moving_of is null then 2 else 0 end`

const freed = { lease_owner: null, lease_until: 0, leased_state: null }

export const leaseBerths = (
  database: Database,
  { lease, limit, now }: Parameters<BerthStore['lease']>[0],
): Promise<readonly LeasedBerth[]> =>
  database.write(async (db) => {
    const timeOf = await database.traits.leaseTime(db)
    const due = await db
      .selectFrom('berths')
      .select(['id', 'state'])
      .where('state', 'in', ['provisioning', 'deprovisioning'])
      .where('next_attempt_at', '<=', timeOf(now))
      .where('lease_until', '<=', timeOf(now))
      .orderBy(urgency)
      .orderBy('created_at')
      .orderBy('id')
      .limit(limit)
      .$if(database.traits.concurrentWriters, (query) => query.forUpdate().skipLocked())
      .execute()
    if (due.length === 0) return []
    const rows = await db
      .updateTable('berths')
      .set((eb) => ({
        lease_owner: lease.owner,
        lease_until: timeOf(lease.until),
        leased_state: eb.ref('state'),
        attempts: eb('attempts', '+', 1),
      }))
      .where(
        'id',
        'in',
        due.map(({ id }) => id),
      )
      .returningAll()
      .execute()
    const rowById = new Map(rows.map((row) => [row.id, row]))
    return due.flatMap(({ id }) => {
      const row = rowById.get(id)
      return row === undefined ? [] : [parseLeasedBerth(row)]
    })
  })

const parseLeasedBerth = (row: BerthRow): LeasedBerth => ({
  ...parseBerth(row),
  attempts: row.attempts,
  move: row.moving_of === null ? null : { tenantId: row.moving_of, keepsFiles: row.keep_files === 1 },
})

const isUnchanged = (eb: ExpressionBuilder<Tables, 'berths'>) => eb('state', '=', eb.ref('leased_state'))

export const renewBerths = (
  database: Database,
  berthIds: readonly BerthId[],
  lease: Lease,
): Promise<readonly BerthId[]> =>
  database.write(async (db) => {
    if (berthIds.length === 0) return []
    const until = (await database.traits.leaseTime(db))(lease.until)
    const rows = await db
      .updateTable('berths')
      .set({ lease_until: until })
      .where('id', 'in', berthIds)
      .where('lease_owner', '=', lease.owner)
      // Work that changed meanwhile is lost: it may be handed back, but not be held longer.
      .where((eb) => eb.or([isUnchanged(eb), eb('lease_until', '>', until)]))
      .returning(['id', 'state', 'leased_state'])
      .execute()
    return rows.filter(({ state, leased_state: leased }) => state === leased).map(({ id }) => id)
  })

const changesOf = (outcome: Outcome, timeOf: (moment: Date) => number): Partial<BerthRow> => {
  switch (outcome.kind) {
    case 'ready':
      return {
        state: 'ready',
        runner_version: outcome.runnerVersion,
        image: outcome.image,
        ready_at: outcome.now.getTime(),
        last_error: null,
        attempts: 0,
      }
    case 'deleted':
      return { state: 'deleted', report: JSON.stringify(outcome.report), last_error: null, attempts: 0 }
    case 'retry':
      return { last_error: storableText(outcome.error), next_attempt_at: timeOf(outcome.nextAttemptAt) }
    case 'failed':
      return { state: 'failed', last_error: storableText(outcome.error) }
    default:
      return outcome satisfies never
  }
}

/** A berth that could not be made for a move is nobody's, so it goes; its tenant stays where it is. */
const givenUp = ({ kind }: Outcome): Partial<BerthRow> =>
  kind === 'failed' ? { state: 'deprovisioning', attempts: 0, next_attempt_at: 0, keep_files: 0 } : {}

const workOf = { ready: ['provisioning'], deleted: ['deprovisioning'] } as const
const anyWork = ['provisioning', 'deprovisioning'] as const
const expectedStates = (kind: Outcome['kind']) => (kind === 'ready' || kind === 'deleted' ? workOf[kind] : anyWork)

const release = async (db: Kysely<Tables>, berthId: BerthId, owner: string): Promise<void> => {
  await db.updateTable('berths').set(freed).where('id', '=', berthId).where('lease_owner', '=', owner).execute()
}

export const settleBerth = (
  database: Database,
  work: { berthId: BerthId; owner: string },
  outcome: Outcome,
): Promise<boolean> =>
  database.write(async (db) => {
    const timeOf = await database.traits.leaseTime(db)
    const mover = await lockMover(db, database.traits, work.berthId)
    const settled = await db
      .updateTable('berths')
      .set({ ...changesOf(outcome, timeOf), ...(mover === null ? {} : givenUp(outcome)), ...freed })
      .where('id', '=', work.berthId)
      .where('lease_owner', '=', work.owner)
      .where('state', 'in', expectedStates(outcome.kind))
      .where(isUnchanged)
      .returning('id')
      .executeTakeFirst()
    if (settled !== undefined && outcome.kind === 'ready' && mover !== null) {
      const { now, retireAt = now } = outcome
      await switchBerths(db, { ...work, tenantId: mover, claimedAt: now.getTime(), retireAt: timeOf(retireAt) })
    }
    if (settled !== undefined) return true
    // The work changed under its owner, who has stopped now: the new work may begin at once.
    await release(db, work.berthId, work.owner)
    return false
  })
