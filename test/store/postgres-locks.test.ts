import { Kysely, PostgresDialect } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Store } from '../../src/domain/ports/store.ts'
import { createDatabase } from '../../src/store/database.ts'
import { postgresCommitBehind } from '../../src/store/commit-behind.ts'
import { createStore } from '../../src/store/create-store.ts'
import { ownLeaseTime } from '../../src/store/lease-time.ts'
import { openPostgresStore } from '../../src/store/open-postgres-store.ts'
import { createPostgresPool, STATEMENT_TIMEOUT_MS } from '../../src/store/postgres-pool.ts'
import type { Tables } from '../../src/store/tables.ts'
import {
  addSpare,
  at,
  clock,
  deletion,
  finished,
  leaseOf,
  livingBerths,
  newRun,
  nothingFound,
  signUp,
  storedRun,
  workOff,
} from '../contract/store-site.ts'
import { type PostgresServer, startPostgres } from '../support/postgres.ts'

const ROUNDS = 30

/** The control: the same store, told that nobody else writes, so that it takes no locks. */
const openWithoutLocks = (url: string): Store => {
  const db = new Kysely<Tables>({
    dialect: new PostgresDialect({ pool: createPostgresPool(url, STATEMENT_TIMEOUT_MS) }),
  })
  const traits = {
    concurrentWriters: false,
    journalKeepsErased: false,
    commitBehind: postgresCommitBehind,
    leaseTime: ownLeaseTime,
  }
  return createStore(createDatabase(db, traits, clock), () => db.destroy())
}

/** Berths above the cap of 3 after 10 sign-ups at once. */
const overshoot = async (store: Store): Promise<number> => {
  await Promise.allSettled(Array.from({ length: 10 }, (_, user) => signUp(store, `user${user}`, { maxBerths: 3 })))
  return (await livingBerths(store)) - 3
}

/** Berths that two owners leased at the same time. */
const leasedTwice = async (store: Store): Promise<number> => {
  for (let spare = 0; spare < 5; spare += 1) await addSpare(store)
  const take = (owner: string) => store.berths.lease({ lease: leaseOf(owner), limit: 3, now: at(0) })
  const all = (await Promise.all(['a', 'b', 'c', 'd'].map(take))).flat().map(({ id }) => id)
  return all.length - new Set(all).size
}

/** Runs that stay behind when they come in while their tenant is finished. */
const leftBehind = async (store: Store, uid: string): Promise<number> => {
  const { tenant } = await signUp(store, uid)
  await store.tenants.requestDeletion(deletion(uid))
  await workOff(store)
  const receipt = { ...nothingFound, tenantId: tenant.id, berthIds: [], finishedAt: at(5).toISOString() }
  const record = () => store.runs.record([storedRun(tenant.id, finished(newRun()))])
  await Promise.all([record(), store.tenants.finishDeprovision(tenant.id, receipt, at(5)), record(), record()])
  const { entries } = await store.runs.list({ tenantId: tenant.id, cursor: null, limit: 10, status: null })
  return entries.length
}

const leftBehindByMany = async (store: Store): Promise<number> => {
  for (let user = 0; user < 20; user += 1) {
    const left = await leftBehind(store, `user${user}`)
    if (left > 0) return left
  }
  return 0
}

describe('Locks on Postgres', { tags: ['postgres'] }, () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server[Symbol.asyncDispose]())

  /** The first result above 0 of several rounds, each on an empty database. */
  const worst = async (race: (store: Store) => Promise<number>, options: { locks: boolean }): Promise<number> => {
    for (let round = 0; round < (options.locks ? 3 : ROUNDS); round += 1) {
      const url = await server.createDatabase()
      await using locked = await openPostgresStore({ url, clock })
      await using unlocked = openWithoutLocks(url)
      const result = await race(options.locks ? locked : unlocked)
      if (result > 0) return result
    }
    return 0
  }

  test('the cap on berths is never overshot; without the lock it is', async () => {
    expect(await worst(overshoot, { locks: true })).toBe(0)
    expect(await worst(overshoot, { locks: false })).toBeGreaterThan(0)
  })

  test('no berth is leased twice; without the lock one is', async () => {
    expect(await worst(leasedTwice, { locks: true })).toBe(0)
    expect(await worst(leasedTwice, { locks: false })).toBeGreaterThan(0)
  })

  test('runs that come in while their tenant is finished leave nothing; without the lock they do', async () => {
    expect(await worst(leftBehindByMany, { locks: true })).toBe(0)
    expect(await worst(leftBehindByMany, { locks: false })).toBeGreaterThan(0)
  })
})
