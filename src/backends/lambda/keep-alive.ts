import type { Cell } from '../../aws/cell.ts'
import { fractionOf } from '../../domain/backoff.ts'
import { isBerthError } from '../../domain/errors.ts'
import type { BerthId } from '../../domain/ids.ts'
import type { Clock } from '../../domain/ports/clock.ts'
import type { Events } from '../../domain/ports/events.ts'
import { invokeBerth } from './invoke-berth.ts'
import { pingEvent } from './invoke-description.ts'
import { listBerthFunctions } from './lambda-functions.ts'

export interface KeepAliveOptions {
  readonly clock: Clock
  readonly events: Events
  /** @default six days: one turn that nobody took still leaves less than the two weeks after which Lambda takes things back */
  readonly periodMs?: number
}

export interface KeepAlive {
  /** Invokes the berths whose turn came after `since` and not after `until`. */
  take(turns: { since: Date; until: Date; signal: AbortSignal }): Promise<KeptAlive>
  /** Takes all turns as they come until the signal is aborted; then rejects with its reason. */
  start(signal: AbortSignal): Promise<never>
}

export interface KeptAlive {
  readonly answered: number
  /** Had fallen asleep; the invoke woke them up. */
  readonly waking: number
  readonly failed: number
}

const HOUR_MS = 3_600_000
const PERIOD_MS = 6 * 24 * HOUR_MS
/** Turns of the time before a start are taken late: a server that was away for less misses none. */
const LOOK_BACK_MS = 24 * HOUR_MS
const PING_DEADLINE_MS = 30_000

/** A berth's place in the period, from its id's random bits. */
const offsetOf = (berthId: BerthId, periodMs: number): number => Math.floor(fractionOf(berthId.slice(1)) * periodMs)

/** Whether a berth has its turn after `since` and not after `until`. */
export const hasTurn = (
  berthId: BerthId,
  { since, until, periodMs = PERIOD_MS }: { since: Date; until: Date; periodMs?: number },
): boolean => {
  const turnsBefore = (time: Date): number => Math.floor((time.getTime() - offsetOf(berthId, periodMs)) / periodMs)
  return turnsBefore(until) > turnsBefore(since)
}

const ping = async (cell: Cell, berthId: BerthId, signal: AbortSignal): Promise<keyof KeptAlive> => {
  try {
    await invokeBerth(cell, { berthId, event: pingEvent, signal, deadlineMs: PING_DEADLINE_MS })
    return 'answered'
  } catch (error) {
    signal.throwIfAborted()
    // One that is suspended or broken is told where it is used; none may keep the others from their turn.
    return isBerthError(error) && error.code === 'berth_waking' ? 'waking' : 'failed'
  }
}

/**
 * Invokes every berth once per period, whether or not it was used: a ping costs a few milliseconds, and knowing when each of
 * thousands of berths was last used would cost more than that, and could be wrong. Turns follow from the berth's id and the clock
 * alone, so nothing is remembered, and several servers only ping more often. One berth at a time.
 */
export const createKeepAlive = (cell: Cell, { clock, events, periodMs = PERIOD_MS }: KeepAliveOptions): KeepAlive => {
  const take: KeepAlive['take'] = async ({ since, until, signal }) => {
    const count = { answered: 0, waking: 0, failed: 0 }
    for await (const berthIds of listBerthFunctions(cell, { priority: 'rollout', signal }))
      for (const berthId of berthIds)
        if (hasTurn(berthId, { since, until, periodMs })) count[await ping(cell, berthId, signal)] += 1
    return count
  }
  return {
    take,
    start: async (signal) => {
      let since = new Date(clock.now().getTime() - LOOK_BACK_MS)
      for (;;) {
        const until = clock.now()
        try {
          const count = await take({ since, until, signal })
          since = until
          events.emit({ code: 'berth.kept_alive', level: 'debug', detail: { cell: cell.name, ...count } })
        } catch (error) {
          signal.throwIfAborted()
          events.emit({ code: 'berth.keep_alive_failed', level: 'warn', detail: { cell: cell.name }, error })
        }
        await clock.sleep(HOUR_MS, signal)
      }
    },
  }
}
