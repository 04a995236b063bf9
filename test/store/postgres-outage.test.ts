import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openPostgresStore } from '../../src/store/open-postgres-store.ts'
import { clock, hasCode, signUp } from '../contract/store-site.ts'
import { type PostgresServer, startPostgres } from '../support/postgres.ts'

const runSql = async (url: string, text: string): Promise<void> => {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(text)
  } finally {
    await client.end()
  }
}

const CUT = `select pg_terminate_backend(pid) from pg_stat_activity
  where application_name = 'berth' and datname = current_database()`

describe('Postgres in trouble', { tags: ['postgres'] }, () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server[Symbol.asyncDispose]())

  test('a server that dies makes the store unavailable, and the store comes back with it', async () => {
    await using store = await openPostgresStore({ url: await server.createDatabase(), clock })
    const { tenant } = await signUp(store, 'ada')

    await server.kill()
    const signal = AbortSignal.timeout(120_000)
    const failures = await Promise.allSettled([
      store.ping({ signal }),
      store.tenants.find(tenant.id),
      ...Array.from({ length: 20 }, (_, user) => signUp(store, `user${user}`)),
    ])
    await server.start()

    for (const failure of failures)
      expect(failure).toMatchObject({
        status: 'rejected',
        reason: { code: 'store_unavailable', retryAfterSeconds: 2 },
      })
    expect(await store.tenants.find(tenant.id)).toEqual(tenant)
  })

  test('connections that the server ends in the middle of work end neither the process nor the store', async () => {
    const url = await server.createDatabase()
    await using store = await openPostgresStore({ url, clock })
    const work = Array.from({ length: 40 }, (_, user) => signUp(store, `user${user}`))
    const cut = runSql(url, CUT)

    const results = await Promise.allSettled(work)
    await cut
    await runSql(url, CUT)

    const failed = results.filter((result) => result.status === 'rejected')
    for (const { reason } of failed) expect(reason).toMatchObject(hasCode('store_unavailable'))
    // A connection that was idle when it broke is noticed at the latest by who takes it next.
    await Promise.allSettled(Array.from({ length: 10 }, () => store.ping({ signal: AbortSignal.timeout(60_000) })))
    expect((await signUp(store, 'late')).outcome).toBe('created')
    // What was said to have failed may have been committed, when only the answer was cut off.
    const { provisioning } = await store.berths.countByState()
    expect(provisioning).toBeGreaterThanOrEqual(40 - failed.length + 1)
    expect(provisioning).toBeLessThanOrEqual(40 + 1)
  })

  test('no server and no such database are unavailable', async () => {
    const url = await server.createDatabase()
    const unknown = url.replace(/[^/]*$/, 'nobody_made_this')

    for (const wrong of [unknown, 'postgres://berth@127.0.0.1:1/berth'])
      await expect(openPostgresStore({ url: wrong, clock })).rejects.toMatchObject(hasCode('store_unavailable'))
  })

  test('a database that cannot hold every Unicode text is refused with the remedy', async () => {
    const url = await server.createDatabase()
    await runSql(url, `create database latin encoding 'LATIN1' locale 'C' template template0`)

    const refused = openPostgresStore({ url: url.replace(/[^/]*$/, 'latin'), clock })

    await expect(refused).rejects.toThrow(/DATABASE_URL.*UTF8.*LATIN1/)
  })

  test('a server that starts waits for another one that changes the schema', async () => {
    const url = await server.createDatabase()
    const other = new Client({ connectionString: url })
    await other.connect()
    await other.query('select pg_advisory_lock(1651470440, 0)')
    const opening = openPostgresStore({ url, clock })
    const isWaiting = async (): Promise<boolean> => {
      const waiting = `select 1 from pg_locks where locktype = 'advisory' and not granted
        and database = (select oid from pg_database where datname = current_database())`
      return (await other.query(waiting)).rowCount === 1
    }

    await expect.poll(isWaiting).toBe(true)
    expect((await other.query(`select to_regclass('tenants') as found`)).rows).toEqual([{ found: null }])
    await other.end()

    await using store = await opening
    expect((await signUp(store, 'ada')).outcome).toBe('created')
  })
})
