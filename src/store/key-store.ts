import type { KeyStore, ServiceKey } from '../domain/ports/store.ts'
import type { Database } from './database.ts'
import { parseServiceKey } from './rows.ts'
import type { ServiceKeyRow } from './tables.ts'

const TOUCH_INTERVAL_MS = 60_000

const keyRow = (key: ServiceKey, hash: string): ServiceKeyRow => ({
  id: key.id,
  name: key.name,
  role: key.role,
  project: key.project,
  hash,
  created_at: key.createdAt.getTime(),
  last_used_at: key.lastUsedAt?.getTime() ?? null,
  revoked_at: key.revokedAt?.getTime() ?? null,
})

const parseOrNull = (row: ServiceKeyRow | undefined): ServiceKey | null =>
  row === undefined ? null : parseServiceKey(row)

export const createKeyStore = (database: Database): KeyStore => ({
  insert: (key, hash) =>
    database.write(async (db) => {
      await db
        .insertInto('service_keys')
        .values(keyRow(key, hash))
        .onConflict((conflict) => conflict.column('hash').doNothing())
        .execute()
    }),
  findByHash: (hash) =>
    database.read(async (db) =>
      parseOrNull(await db.selectFrom('service_keys').selectAll().where('hash', '=', hash).executeTakeFirst()),
    ),
  list: () =>
    database.read(async (db) => {
      const rows = await db.selectFrom('service_keys').selectAll().orderBy('created_at').orderBy('id').execute()
      return rows.map(parseServiceKey)
    }),
  revoke: (keyId, now) =>
    database.write(async (db) => {
      await db
        .updateTable('service_keys')
        .set({ revoked_at: now.getTime() })
        .where('id', '=', keyId)
        .where('revoked_at', 'is', null)
        .execute()
      return parseOrNull(await db.selectFrom('service_keys').selectAll().where('id', '=', keyId).executeTakeFirst())
    }),
  touch: (keyId, now) =>
    database.write(async (db) => {
      await db
        .updateTable('service_keys')
        .set({ last_used_at: now.getTime() })
        .where('id', '=', keyId)
        .where((eb) =>
          eb.or([eb('last_used_at', 'is', null), eb('last_used_at', '<=', now.getTime() - TOUCH_INTERVAL_MS)]),
        )
        .execute()
    }),
})
