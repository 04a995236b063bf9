import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kysely, PostgresDialect, sql } from 'kysely'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type CommitBehind, createSqliteCommitBehind, postgresCommitBehind } from '../../src/store/commit-behind.ts'
import { createDatabase, type Database } from '../../src/store/database.ts'
import { createPostgresPool, STATEMENT_TIMEOUT_MS } from '../../src/store/postgres-pool.ts'
import { createRunStore } from '../../src/store/run-store.ts'
import { ownLeaseTime } from '../../src/store/lease-time.ts'
import { createSqliteDialect } from '../../src/store/sqlite-dialect.ts'
import { openSqliteFile } from '../../src/store/sqlite-file.ts'
import type { Tables } from '../../src/store/tables.ts'
import { clock, ids, newRun, request, storedRun } from '../contract/store-site.ts'
import { type PostgresServer, startPostgres } from '../support/postgres.ts'

interface Site extends AsyncDisposable {
  readonly database: Database
  /** What a commit now waits for, as the database itself says it. */
  readonly level: () => Promise<unknown>
  readonly waiting: unknown
  readonly notWaiting: unknown
}

const databaseWith = (db: Kysely<Tables>, commitBehind: CommitBehind): Database =>
  createDatabase(
    db,
    { concurrentWriters: false, journalKeepsErased: true, commitBehind, leaseTime: ownLeaseTime },
    clock,
  )

const sqliteSite = async (): Promise<Site> => {
  const dataDir = mkdtempSync(join(tmpdir(), 'berth-store-'))
  const sqlite = openSqliteFile(join(dataDir, 'berth.sqlite'))
  const db = new Kysely<Tables>({ dialect: createSqliteDialect(() => sqlite) })
  return {
    database: databaseWith(db, createSqliteCommitBehind(sqlite)),
    level: async () => sqlite.prepare('pragma synchronous').get()?.['synchronous'],
    waiting: 2,
    notWaiting: 1,
    [Symbol.asyncDispose]: async () => {
      await db.destroy()
      rmSync(dataDir, { recursive: true })
    },
  }
}

const postgresSite = async (url: string): Promise<Site> => {
  const pool = createPostgresPool(url, STATEMENT_TIMEOUT_MS)
  const held = await pool.connect()
  const one = { connect: async () => ({ ...held, release: () => undefined }), end: async () => undefined }
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: one }) })
  return {
    database: databaseWith(db, postgresCommitBehind),
    // On the one connection that all share here.
    level: async () => {
      const { rows } = await held.query<{ synchronous_commit: string }>('show synchronous_commit', [])
      return rows[0]?.synchronous_commit
    },
    waiting: 'on',
    notWaiting: 'off',
    [Symbol.asyncDispose]: async () => {
      await db.destroy()
      held.release()
      await pool.end()
    },
  }
}

const describeCommitBehind = (make: () => Promise<Site>) => {
  let site: Site
  beforeEach(async () => {
    site = await make()
  })
  afterEach(() => site[Symbol.asyncDispose]())

  test('a transaction written behind does not wait for the disk, and the next one does, time after time', async () => {
    const { database, level, waiting, notWaiting } = site

    for (let round = 0; round < 3; round += 1) {
      expect(await database.writeBehind(level)).toBe(notWaiting)
      expect(await database.write(level)).toBe(waiting)
      expect(await level()).toBe(waiting)
    }
  })

  test('after one that failed the next one waits for the disk', async () => {
    const { database, level, waiting } = site

    const failing = database.writeBehind((db) => sql`select * from no_such_table`.execute(db))

    await expect(failing).rejects.toThrow('no_such_table')
    expect(await level()).toBe(waiting)
    expect(await database.write(level)).toBe(waiting)
  })
}

describe('on SQLite', () => {
  describeCommitBehind(sqliteSite)

  test('one that is asked for meanwhile waits for its turn and for the disk', async () => {
    await using site = await sqliteSite()
    const { database, level, waiting, notWaiting } = site

    const levels = await Promise.all([
      database.writeBehind(level),
      database.write(level),
      database.writeBehind(level),
      database.write(level),
    ])

    expect(levels).toEqual([notWaiting, waiting, notWaiting, waiting])
  })

  test('records of runs are written behind, and what a server was promised is not', async () => {
    await using site = await sqliteSite()
    const asked: string[] = []
    const note = (name: string) => async () => {
      asked.push(name)
      throw new Error('asked')
    }
    const { traits, read } = site.database
    const runs = createRunStore({ traits, read, write: note('write'), writeBehind: note('writeBehind') })
    const stored = storedRun(ids.tenantId(), newRun())

    await expect(runs.record([stored])).rejects.toThrow('asked')
    await expect(runs.insert({ stored, request, idempotency: null, lease: null })).rejects.toThrow('asked')

    expect(asked).toEqual(['writeBehind', 'write'])
  })
})

describe('on Postgres', { tags: ['postgres'] }, () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres({ durable: true })
  })
  afterAll(() => server[Symbol.asyncDispose]())

  describeCommitBehind(async () => postgresSite(await server.createDatabase()))
})
