import { sql } from 'kysely'
import { BerthError } from '../domain/errors.ts'
import type { Store } from '../domain/ports/store.ts'
import { createBerthStore } from './berth-store.ts'
import type { Database } from './database.ts'
import { createKeyStore } from './key-store.ts'
import { createOwnerStore } from './owner-store.ts'
import { createRunStore } from './run-store.ts'
import { createTenantStore } from './tenant-store.ts'

const ping = async (database: Database, signal: AbortSignal): Promise<void> => {
  const aborted = Promise.withResolvers<never>()
  const abort = (): void =>
    aborted.reject(
      new BerthError('store_unavailable', 'The store did not answer in time', { cause: signal.reason as unknown }),
    )
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort)
  try {
    await Promise.race([aborted.promise, database.read((db) => sql`select 1`.execute(db))])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

export const createStore = (database: Database, dispose: () => Promise<void>): Store => ({
  tenants: createTenantStore(database),
  berths: createBerthStore(database),
  owners: createOwnerStore(database),
  runs: createRunStore(database),
  keys: createKeyStore(database),
  ping: ({ signal }) => ping(database, signal),
  [Symbol.asyncDispose]: dispose,
})
