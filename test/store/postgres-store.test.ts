import { afterAll, beforeAll, describe } from 'vitest'
import { openPostgresStore } from '../../src/store/open-postgres-store.ts'
import { clock } from '../contract/store-site.ts'
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
})
