import type { OwnerStore } from '../domain/ports/owner-store.ts'
import { adopt, adoptSpare } from './adoption.ts'
import type { Database } from './database.ts'
import { findOwner, leaseOwners, oneMoreDue, settleOwners } from './owner-records.ts'
import { parseTenant } from './rows.ts'

export const createOwnerStore = (database: Database): OwnerStore => ({
  find: (berthId) => findOwner(database, berthId),
  lease: (options) => leaseOwners(database, options),
  settle: (leaseOwner, records) => settleOwners(database, leaseOwner, records),
  markDue: (berthId) =>
    database.write(async (db) => {
      await db.updateTable('berths').set(oneMoreDue).where('id', '=', berthId).execute()
    }),
  findTenant: (externalKey) =>
    database.read(async (db) => {
      const row = await db.selectFrom('tenants').selectAll().where('external_key', '=', externalKey).executeTakeFirst()
      return row === undefined ? null : parseTenant(row)
    }),
  adopt: (options) => adopt(database, options),
  adoptSpare: (options) => adoptSpare(database, options),
})
