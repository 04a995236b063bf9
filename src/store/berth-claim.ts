import { type Kysely, sql } from 'kysely'
import { BerthError } from '../domain/errors.ts'
import type { BerthId, TenantId } from '../domain/ids.ts'
import type { ExternalId } from '../domain/tenant.ts'
import type { DatabaseTraits } from './database.ts'
import { oneMoreDue } from './owner-records.ts'
import type { BerthRow, Tables } from './tables.ts'

/** Any constant pair does; it only must be the same in every Berth process on one database. */
const BERTH_COUNT_LOCK = sql`select pg_advisory_xact_lock(1651470440, 1)`

/** Counting and inserting must be one step, or two processes could both see room for the last berth. */
export const lockBerthCount = async (db: Kysely<Tables>, traits: DatabaseTraits): Promise<void> => {
  if (traits.concurrentWriters) await BERTH_COUNT_LOCK.execute(db)
}

export const countLivingBerths = async (db: Kysely<Tables>): Promise<number> => {
  const { count } = await db
    .selectFrom('berths')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('state', '<>', 'deleted')
    .executeTakeFirstOrThrow()
  return count
}

interface ProjectRoom {
  readonly externalId: ExternalId
  readonly maxBerths: number
  readonly maxBerthsPerProject?: number
}

/** Spares that are claimed count as well. @throws {BerthError} berth_cap_reached */
export const assertProjectHasRoom = async (
  db: Kysely<Tables>,
  traits: DatabaseTraits,
  { externalId: { project }, maxBerths, maxBerthsPerProject: most }: ProjectRoom,
): Promise<void> => {
  // No smaller than the cap of all is no cap of its own, and costs no count.
  if (most === undefined || most >= maxBerths) return
  await lockBerthCount(db, traits)
  // Where all projects together have room, each of them has: that spares the count that looks at every tenant of the project.
  if ((await countLivingBerths(db)) < most) return
  const { count } = await db
    .selectFrom('berths')
    .innerJoin('tenants', 'tenants.id', 'berths.tenant_id')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('tenants.project', '=', project)
    .where('berths.state', '<>', 'deleted')
    .executeTakeFirstOrThrow()
  if (count < most) return
  throw new BerthError(
    'berth_cap_reached',
    `The tenants of this identity project have all ${most} berths that they may have; an operator must raise BERTH_MAX_BERTHS_PER_PROJECT or delete tenants`,
    { retryAfterSeconds: 60, data: { maxBerthsPerProject: most, limit: 'BERTH_MAX_BERTHS_PER_PROJECT' } },
  )
}

interface NewBerth {
  readonly id: BerthId
  readonly tenantId: TenantId | null
  readonly backend: string
  readonly cell: string
  readonly now: Date
}

export const insertBerth = async (db: Kysely<Tables>, berth: NewBerth): Promise<BerthRow> => {
  const now = berth.now.getTime()
  return db
    .insertInto('berths')
    .values({
      id: berth.id,
      tenant_id: berth.tenantId,
      state: 'provisioning',
      backend: berth.backend,
      cell: berth.cell,
      created_at: now,
      claimed_at: berth.tenantId === null ? null : now,
      attempts: 0,
      next_attempt_at: 0,
      lease_until: 0,
      keep_files: 0,
      owner_due: berth.tenantId === null ? 0 : 1,
    })
    .returningAll()
    .executeTakeFirstOrThrow()
}

interface Claim {
  readonly tenantId: TenantId
  readonly newBerthId: BerthId
  readonly backend: string
  readonly cell: string
  readonly maxBerths: number
  readonly now: Date
}

const claimSpare = async (
  db: Kysely<Tables>,
  traits: DatabaseTraits,
  claim: Claim & { state: 'ready' | 'provisioning' },
): Promise<BerthRow | undefined> => {
  const spare = await db
    .selectFrom('berths')
    .select('id')
    .where('tenant_id', 'is', null)
    .where('moving_of', 'is', null)
    .where('state', '=', claim.state)
    .where('backend', '=', claim.backend)
    .where('cell', '=', claim.cell)
    .orderBy('ready_at')
    .limit(1)
    .$if(traits.concurrentWriters, (query) => query.forUpdate().skipLocked())
    .executeTakeFirst()
  if (spare === undefined) return undefined
  return db
    .updateTable('berths')
    .set({ tenant_id: claim.tenantId, claimed_at: claim.now.getTime(), ...oneMoreDue })
    .where('id', '=', spare.id)
    .returningAll()
    .executeTakeFirstOrThrow()
}

/**
 * A ready spare, else a new row, else (at the cap) a spare that is still being provisioned. Called with the tenant's
 * row locked, so that one tenant claims once.
 * @throws {BerthError} berth_cap_reached
 */
export const claimBerth = async (db: Kysely<Tables>, traits: DatabaseTraits, claim: Claim): Promise<BerthRow> => {
  const ready = await claimSpare(db, traits, { ...claim, state: 'ready' })
  if (ready !== undefined) return ready
  await lockBerthCount(db, traits)
  if ((await countLivingBerths(db)) < claim.maxBerths) return insertBerth(db, { ...claim, id: claim.newBerthId })
  const coming = await claimSpare(db, traits, { ...claim, state: 'provisioning' })
  if (coming !== undefined) return coming
  throw new BerthError(
    'berth_cap_reached',
    `The cap of ${claim.maxBerths} berths is reached; an operator must raise BERTH_MAX_BERTHS or delete tenants`,
    { retryAfterSeconds: 60, data: { maxBerths: claim.maxBerths, limit: 'BERTH_MAX_BERTHS' } },
  )
}
