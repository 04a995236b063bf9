import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { berthsOfTenants } from '../../src/main/deployment/berths-of-tenants.ts'
import { openPostgresStore } from '../../src/store/open-postgres-store.ts'
import { clock, signUp } from '../contract/store-site.ts'
import { describeStore } from '../contract/store.contract.ts'
import { type PostgresServer, startPostgres } from '../support/postgres.ts'

describe('on a real server', { tags: ['postgres'] }, () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server[Symbol.asyncDispose]())

  describeStore({
    name: 'Postgres',
    severalServers: true,
    create: async () => {
      const url = await server.createDatabase()
      return { open: () => openPostgresStore({ url, clock }), [Symbol.asyncDispose]: async () => undefined }
    },
  })

  test('a rollout that is limited to tenants asks the database that the servers use', async () => {
    const url = await server.createDatabase()
    await using store = await openPostgresStore({ url, clock })
    const { tenant, berth } = await signUp(store, 'one')

    const found = await berthsOfTenants(url, [tenant.id])

    expect([...found.keys()]).toEqual([berth?.id])
  })
})
