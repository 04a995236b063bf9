import { type ExpressionBuilder, type Kysely, sql } from 'kysely'
import type { BerthOwner } from '../domain/berth-owner.ts'
import type { BerthId, TenantId } from '../domain/ids.ts'
import type { OwnerStore } from '../domain/ports/owner-store.ts'
import type { Database } from './database.ts'
import type { BerthRow, Tables, TenantRow } from './tables.ts'

/** One more change that the record beside the berth's files does not tell yet. */
export const oneMoreDue = { owner_due: sql<number>`owner_due + 1` }

type OwnedRow = Pick<BerthRow, 'id' | 'tenant_id' | 'claimed_at' | 'created_at' | 'owner_due'> & {
  readonly whose: TenantId | null
  readonly external_key: string
  readonly tenant_state: TenantRow['state']
}

/** Each with its tenant, or with the one that a move took from it. */
const ownedBerths = (db: Kysely<Tables>) =>
  db
    .selectFrom('berths')
    .innerJoin('tenants', (join) =>
      join.on((eb) => eb('tenants.id', '=', eb.fn.coalesce('berths.tenant_id', 'berths.moving_of'))),
    )
    .select([
      'berths.id',
      'berths.tenant_id',
      'berths.claimed_at',
      'berths.created_at',
      'berths.owner_due',
      'tenants.id as whose',
      'tenants.external_key',
      'tenants.state as tenant_state',
    ])

const stateOf = ({ tenant_id, tenant_state }: OwnedRow): BerthOwner['state'] => {
  if (tenant_id === null) return 'left'
  return tenant_state === 'deleted' ? 'deprovisioning' : tenant_state
}

const parseOwner = (row: OwnedRow): BerthOwner | null =>
  row.whose === null
    ? null
    : {
        format: 1,
        berthId: row.id,
        tenantId: row.whose,
        externalKey: row.external_key,
        state: stateOf(row),
        claimedAt: new Date(row.claimed_at ?? row.created_at).toISOString(),
      }

export const findOwner = (database: Database, berthId: BerthId): Promise<BerthOwner | null> =>
  database.read(async (db) => {
    const row = await ownedBerths(db).where('berths.id', '=', berthId).executeTakeFirst()
    return row === undefined ? null : parseOwner(row)
  })

/** A ready berth of a tenant, and one that a move has left: until it is gone it must not pass for the tenant's own. */
const isRecorded = (eb: ExpressionBuilder<Tables, 'berths'>) =>
  eb.or([
    eb.and([eb('state', '=', 'ready'), eb('tenant_id', 'is not', null)]),
    eb.and([eb('state', '=', 'deprovisioning'), eb('moving_of', 'is not', null)]),
  ])

export const leaseOwners = async (
  database: Database,
  { lease, limit, backends, now }: Parameters<OwnerStore['lease']>[0],
): ReturnType<OwnerStore['lease']> => {
  const due = (db: Kysely<Tables>) =>
    db
      .selectFrom('berths')
      .select('id')
      .where('owner_due', '>', 0)
      .where(isRecorded)
      .where('backend', 'in', backends)
      // It grows with each failure too, so that one berth which takes no record delays no other.
      .orderBy('owner_due')
      .limit(limit)
  // Mostly there is nothing, and a transaction that writes is dear.
  if ((await database.read((db) => due(db).execute())).length === 0) return []
  return database.write(async (db) => {
    const timeOf = await database.traits.leaseTime(db)
    const found = await due(db)
      .where('lease_until', '<=', timeOf(now))
      .$if(database.traits.concurrentWriters, (query) => query.forUpdate().skipLocked())
      .execute()
    if (found.length === 0) return []
    const berthIds = found.map(({ id }) => id)
    await db
      .updateTable('berths')
      .set((eb) => ({
        lease_owner: lease.owner,
        lease_until: timeOf(lease.until),
        leased_state: eb.ref('state'),
      }))
      .where('id', 'in', berthIds)
      .execute()
    const rows = await ownedBerths(db).where('berths.id', 'in', berthIds).execute()
    return rows.flatMap((row) => {
      const owner = parseOwner(row)
      return owner === null ? [] : [{ owner, due: row.owner_due }]
    })
  })
}

export const settleOwners = (
  database: Database,
  leaseOwner: string,
  records: Parameters<OwnerStore['settle']>[1],
): Promise<void> =>
  database.write(async (db) => {
    for (const { berthId, due } of records)
      await db
        .updateTable('berths')
        .set((eb) => ({
          // What changed while it was written is due again.
          owner_due:
            due === null
              ? eb('owner_due', '+', 1)
              : eb.case().when('owner_due', '=', due).then(0).else(eb.ref('owner_due')).end(),
          lease_owner: null,
          lease_until: 0,
          leased_state: null,
        }))
        .where('id', '=', berthId)
        .where('lease_owner', '=', leaseOwner)
        .execute()
  })

export const setOwnerDue = async (db: Kysely<Tables>, tenantId: TenantId): Promise<void> => {
  await db
    .updateTable('berths')
    .set(oneMoreDue)
    .where('tenant_id', '=', tenantId)
    .where('state', '<>', 'deleted')
    .execute()
}
