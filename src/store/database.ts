import type { Kysely, Transaction } from 'kysely'
import type { Clock } from '../domain/ports/clock.ts'
import type { CommitBehind } from './commit-behind.ts'
import type { LeaseTime } from './lease-time.ts'
import { isTransientConflict, toStoreError } from './store-errors.ts'
import type { Tables } from './tables.ts'

/** What the queries need to know about the database under them. Everything else is the same SQL. */
export interface DatabaseTraits {
  /** True where transactions run side by side, so that rows must be locked; false where one writer runs at a time. */
  readonly concurrentWriters: boolean
  /** True where the journal keeps pages as they were until it is emptied, erased rows among them. */
  readonly journalKeepsErased: boolean
  readonly commitBehind: CommitBehind
  readonly leaseTime: LeaseTime
}

/** Access to the database: every error leaves here as a BerthError or as a bug. */
export interface Database {
  readonly traits: DatabaseTraits
  read<T>(work: (db: Kysely<Tables>) => Promise<T>): Promise<T>
  /** One transaction. `work` may run again after a deadlock, so it changes nothing but the database. */
  write<T>(work: (db: Transaction<Tables>) => Promise<T>): Promise<T>
  /** As `write`, but a crash of the machine may lose it: only for what nobody was promised. */
  writeBehind<T>(work: (db: Transaction<Tables>) => Promise<T>): Promise<T>
}

const MAX_TRIES = 5

export const createDatabase = (db: Kysely<Tables>, traits: DatabaseTraits, clock: Clock): Database => ({
  traits,
  read: async (work) => {
    try {
      return await work(db)
    } catch (error) {
      throw toStoreError(error)
    }
  },
  write: (work) => afterConflicts(clock, () => db.transaction().execute(work)),
  writeBehind: (work) => afterConflicts(clock, () => traits.commitBehind(db, work)),
})

const afterConflicts = async <T>(clock: Clock, transact: () => Promise<T>): Promise<T> => {
  for (let tries = 1; ; tries += 1) {
    try {
      return await transact()
    } catch (error) {
      if (!isTransientConflict(error) || tries === MAX_TRIES) throw toStoreError(error)
      await clock.sleep(tries * 10, new AbortController().signal)
    }
  }
}
