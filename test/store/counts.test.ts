import { DatabaseSync } from 'node:sqlite'
import { Kysely, type LogEvent } from 'kysely'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { countLivingBerths } from '../../src/store/berth-claim.ts'
import { createBerthStore } from '../../src/store/berth-store.ts'
import type { Database } from '../../src/store/database.ts'
import { migrate } from '../../src/store/migrate.ts'
import { migrations } from '../../src/store/migrations.ts'
import { createSqliteDialect } from '../../src/store/sqlite-dialect.ts'
import type { Tables } from '../../src/store/tables.ts'

let sqlite: DatabaseSync
let db: Kysely<Tables>
let asked: string[]
beforeEach(async () => {
  asked = []
  sqlite = new DatabaseSync(':memory:')
  const log = ({ query }: LogEvent): void => void asked.push(query.sql)
  db = new Kysely<Tables>({ dialect: createSqliteDialect(() => sqlite), log })
})
afterEach(() => db.destroy())

const open = async (versions: number) => {
  await migrate(db, { migrations: migrations.slice(0, versions), lock: async () => undefined })
  asked = []
  return createBerthStore({ read: async (work) => work(db) } as Database)
}

/** How SQLite goes about what was asked. */
const plans = (): readonly string[] =>
  asked.flatMap((text) => sqlite.prepare(`explain query plan ${text}`).all()).map(({ detail }) => String(detail))

const countAll = async (versions: number): Promise<readonly string[]> => {
  const berths = await open(versions)
  await berths.countByState()
  await berths.countByCell()
  await countLivingBerths(db)
  return plans()
}

test('what a sign-up counts reads no row of a berth and sorts nothing, however many there are', async () => {
  const plan = await countAll(migrations.length)

  expect(plan.length).toBeGreaterThan(0)
  expect(plan.filter((step) => !step.includes('USING COVERING INDEX berths_counted'))).toEqual([])
})

test('a control shows that without the index rows are read and sorted', async () => {
  const plan = await countAll(4)

  expect(plan).toEqual(expect.arrayContaining(['SCAN berths', 'USE TEMP B-TREE FOR GROUP BY']))
})
