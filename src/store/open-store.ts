import type { Clock } from '../domain/ports/clock.ts'
import type { Store } from '../domain/ports/store.ts'
import { openPostgresStore } from './open-postgres-store.ts'
import { openSqliteStore } from './open-sqlite-store.ts'

export interface StoreConfig {
  /** Null for the embedded SQLite store. */
  readonly databaseUrl: string | null
  readonly dataDir: string
  readonly clock: Clock
}

/** @throws {BerthError} data_dir_locked, store_unavailable, config_invalid */
export const openStore = ({ databaseUrl, dataDir, clock }: StoreConfig): Promise<Store> =>
  databaseUrl === null ? openSqliteStore({ dataDir, clock }) : openPostgresStore({ url: databaseUrl, clock })
