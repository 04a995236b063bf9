import type { BerthId } from '../domain/ids.ts'
import type { Clock } from '../domain/ports/clock.ts'
import type { Events } from '../domain/ports/events.ts'
import type { FleetCell } from '../domain/ports/fleet-cell.ts'
import type { Wanted } from '../domain/wanted-image.ts'
import { reasonOf } from './bring-berths.ts'
import type { Berth } from '../domain/tenant.ts'
import {
  countFleet,
  type FleetCount,
  type FleetListing,
  listFleet,
  runnerIn,
  type SeenRunner,
} from './fleet-listing.ts'
import { failureCountOf } from './update-failures.ts'
import { wantedEvents } from './wanted-events.ts'

export interface CellFleetReport {
  readonly cell: string
  /** Null where nothing is. */
  readonly wanted: Wanted | null
  /** Berths that the last rollout to the present target could not update. */
  readonly updatesFailed: number
  /** Null until the first listing has ended. */
  readonly listed: (FleetCount & { readonly at: Date; readonly ageSeconds: number }) | null
  /** Why something is missing or old. */
  readonly problem: string | null
}

export interface FleetWatch {
  /** Waits a few seconds for a listing where there is none or it is old, then answers with what is known. */
  report(options: { signal: AbortSignal }): Promise<readonly CellFleetReport[]>
  /** What is known, at once; begins a listing where that is old. */
  known(): readonly CellFleetReport[]
  /** What a berth runs, by the last listing; null where none has shown it. Begins a listing where that is old, and waits for what costs nothing. */
  runnerOf(berth: Pick<Berth, 'id' | 'cell'>): Promise<SeenRunner | null>
  /** Tells what somebody does to the rollouts of a cell. */
  start(signal: AbortSignal): Promise<void>
}

export interface FleetWatchOptions {
  readonly cells: readonly FleetCell[]
  readonly clock: Clock
  readonly events: Events
}

/**
 * A listing takes one request for 50 berths, of the 15 a second that all changes of a cell share. So one is made only when somebody asks, not
 * more often than this, and answers tell its age.
 */
const LISTING_MS = 5 * 60_000
const WAIT_MS = 5000
const LOOK_MS = 15_000

export const createFleetWatch = ({ cells, clock, events }: FleetWatchOptions): FleetWatch => {
  const watched = cells.map((cell) => watchCell(cell, { clock, events }))
  const byName = new Map(cells.map(({ cell }, index) => [cell, watched[index]]))
  return {
    report: async ({ signal }) => {
      await Promise.all(watched.map((cell) => cell.refresh(signal)))
      return watched.map((cell) => cell.report())
    },
    known: () => {
      for (const cell of watched) void cell.nudge()
      return watched.map((cell) => cell.report())
    },
    runnerOf: async ({ id, cell }) => (await byName.get(cell)?.runnerOf(id)) ?? null,
    start: async (signal) => {
      while (!signal.aborted) {
        await Promise.all(watched.map((cell) => cell.look(signal)))
        await clock.sleep(LOOK_MS, signal).catch(() => undefined)
      }
    },
  }
}

interface TimedListing extends FleetListing {
  readonly atMs: number
}

/** The last listing of a cell, and the next one when that is old. */
const keepListing = (cell: FleetCell, clock: Clock) => {
  let listing: TimedListing | null = null
  let underWay: Promise<void> | null = null
  let problem: string | null = null

  const list = async (): Promise<void> => {
    // Nobody's own: others wait for the same.
    const { signal } = new AbortController()
    try {
      const { fleet } = await cell.open({ signal })
      const atMs = clock.monotonicMs()
      listing = { ...(await listFleet(fleet, clock.now(), { signal })), atMs }
      problem = null
    } catch (error) {
      problem = reasonOf(error)
    } finally {
      underWay = null
    }
  }

  return {
    known: () => ({ listing, problem }),
    /** Answers with the one that is under way, or null. */
    nudge: (): Promise<void> | null => {
      const isFresh = listing !== null && clock.monotonicMs() - listing.atMs < LISTING_MS
      if (cell.isNear === true || !isFresh) underWay ??= list()
      return underWay
    },
  }
}

const watchCell = (cell: FleetCell, { clock, events }: Pick<FleetWatchOptions, 'clock' | 'events'>) => {
  let wanted: { readonly value: Wanted | null } | null = null
  let lookProblem: string | null = null
  const { nudge, known } = keepListing(cell, clock)

  const look = async (signal: AbortSignal): Promise<void> => {
    try {
      const { wanted: reader } = await cell.open({ signal })
      const before = wanted
      const value = (await reader?.read({ signal })) ?? null
      lookProblem = null
      // Another look ended meanwhile, and may have read later: the next one tells what has been done since.
      if (wanted !== before) return
      // What was done before this server looked for the first time is not told again.
      const done = wanted === null ? [] : wantedEvents(wanted.value, value, cell.cell)
      wanted = { value }
      for (const event of done) events.emit(event)
    } catch (error) {
      if (!signal.aborted) lookProblem = reasonOf(error)
    }
  }

  return {
    look,
    nudge,
    refresh: async (signal: AbortSignal): Promise<void> => {
      const listed = nudge()
      await look(signal)
      if (listed !== null) await Promise.race([listed, clock.sleep(WAIT_MS, signal).catch(() => undefined)])
    },
    runnerOf: async (berthId: BerthId): Promise<SeenRunner | null> => {
      const listed = nudge()
      if (cell.isNear === true) await listed
      const { listing } = known()
      return listing && runnerIn(listing, wanted?.value ?? null, berthId)
    },
    report: (): CellFleetReport => {
      const { listing, problem } = known()
      const value = wanted?.value ?? null
      return {
        cell: cell.cell,
        wanted: value,
        updatesFailed: failureCountOf(value),
        listed: listing === null ? null : listedView(listing, value, clock),
        problem: lookProblem ?? problem,
      }
    },
  }
}

const listedView = (listing: TimedListing, wanted: Wanted | null, clock: Clock): CellFleetReport['listed'] => ({
  ...countFleet(listing, wanted, clock.now()),
  at: listing.at,
  ageSeconds: Math.round((clock.monotonicMs() - listing.atMs) / 1000),
})
