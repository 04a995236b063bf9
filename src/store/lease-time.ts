import { type Kysely, sql } from 'kysely'
import type { Clock } from '../domain/ports/clock.ts'
import type { Tables } from './tables.ts'

/**
 * Leases and next attempts are compared between servers, so they are written and compared in one time. Resolves with what
 * turns a moment of this server's clock into milliseconds of that time.
 */
export type LeaseTime = (db: Kysely<Tables>) => Promise<(moment: Date) => number>

/** One process owns the database: its clock is the only one. */
export const ownLeaseTime: LeaseTime = async () => (moment) => moment.getTime()

/** The database's clock is asked so often; in between its time goes on with the clock that only rises. */
const ASK_EVERY_MS = 60_000
/** Clocks that differ by less count as the same: no lease is so short. */
const SAME_MS = 1000

interface Anchor {
  readonly databaseMs: number
  readonly monotonicMs: number
  /** How wrong it may be, for the answer's way back took an unknown part of this. */
  readonly roundTripMs: number
}

/** The database's own clock, whatever the clocks of the servers say and however they jump. */
export const createDatabaseLeaseTime = (clock: Clock): LeaseTime => {
  let anchor: Anchor | null = null
  return async (db) => {
    if (anchor === null || clock.monotonicMs() - anchor.monotonicMs > ASK_EVERY_MS) anchor = await ask(db, clock)
    const { databaseMs, monotonicMs, roundTripMs } = anchor
    const aheadMs = databaseMs + clock.monotonicMs() - monotonicMs - clock.now().getTime()
    const shiftMs = Math.abs(aheadMs) <= SAME_MS + roundTripMs ? 0 : Math.round(aheadMs)
    return (moment) => moment.getTime() + shiftMs
  }
}

const ask = async (db: Kysely<Tables>, clock: Clock): Promise<Anchor> => {
  const askedMs = clock.monotonicMs()
  // Not now(), which stands still while a transaction waits for a lock.
  const query = sql<{ ms: number }>`select (extract(epoch from clock_timestamp()) * 1000)::bigint as ms`
  const { rows } = await query.execute(db)
  const monotonicMs = clock.monotonicMs()
  return { databaseMs: Number(rows[0]?.ms), monotonicMs, roundTripMs: monotonicMs - askedMs }
}
