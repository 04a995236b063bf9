import { DatabaseSync } from 'node:sqlite'
import { Kysely, sql } from 'kysely'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { migrate } from '../../src/store/migrate.ts'
import { migrations } from '../../src/store/migrations.ts'
import { createSqliteDialect } from '../../src/store/sqlite-dialect.ts'
import { hasCode } from '../contract/store-site.ts'

let db: Kysely<object>
beforeEach(() => {
  db = new Kysely({ dialect: createSqliteDialect(() => new DatabaseSync(':memory:')) })
})
afterEach(() => db.destroy())

const lock = async (): Promise<void> => undefined
const step = (version: number, ...statements: readonly string[]) => ({ version, name: `step ${version}`, statements })

const tables = async (): Promise<readonly string[]> => {
  const { rows } = await sql<{ name: string }>`select name from sqlite_master where type = 'table'`.execute(db)
  return rows.map(({ name }) => name).toSorted()
}

test('each migration is applied once, in order', async () => {
  const first = step(1, 'create table one (id text)')
  await migrate(db, { migrations: [first], lock })

  await migrate(db, { migrations: [first, step(2, 'alter table one rename to two')], lock })
  await migrate(db, { migrations: [first, step(2, 'alter table one rename to two')], lock })

  expect(await tables()).toEqual(['berth_migrations', 'two'])
})

test('a migration that breaks half way leaves the database as it was', async () => {
  const first = step(1, 'create table one (id text)')
  await migrate(db, { migrations: [first], lock })

  const broken = [first, step(2, 'create table two (id text)'), step(3, 'drop table one', 'create nonsense')]
  await expect(migrate(db, { migrations: broken, lock })).rejects.toThrow('nonsense')

  expect(await tables()).toEqual(['berth_migrations', 'one'])
  await migrate(db, { migrations: [first, step(2, 'create table two (id text)')], lock })
  expect(await tables()).toEqual(['berth_migrations', 'one', 'two'])
})

test('a database of a newer Berth is refused', async () => {
  await migrate(db, { migrations: [step(1, 'create table one (id text)'), step(2)], lock })

  await expect(migrate(db, { migrations: [step(1)], lock })).rejects.toMatchObject(hasCode('config_invalid'))
})

test('the versions rise by one', () => {
  expect(migrations.map(({ version }) => version)).toEqual(migrations.map((_, index) => index + 1))
})
