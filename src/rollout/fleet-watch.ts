import type { Clock } from '../domain/ports/clock.ts'
import type { Events } from '../domain/ports/events.ts'
import type { FleetCell } from '../domain/ports/fleet-cell.ts'
import type { Wanted } from '../domain/wanted-image.ts'
import { reasonOf } from './bring-berths.ts'
import { countFleet, type FleetCount, type FleetListing, listFleet } from './fleet-listing.ts'
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
  return {
    report: async ({ signal }) => {
      await Promise.all(watched.map((cell) => cell.refresh(signal)))
      return watched.map((cell) => cell.report())
    },
    known: () => {
      for (const cell of watched) cell.nudge()
      return watched.map((cell) => cell.report())
    },
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

const watchCell = (cell: FleetCell, { clock, events }: Pick<FleetWatchOptions, 'clock' | 'events'>) => {
  let wanted: { readonly value: Wanted | null } | null = null
  let listing: TimedListing | null = null
  let underWay: Promise<void> | null = null
  const problems: { look: string | null; list: string | null } = { look: null, list: null }

  const look = async (signal: AbortSignal): Promise<void> => {
    try {
      const { wanted: reader } = await cell.open({ signal })
      const known = wanted
      const value = (await reader?.read({ signal })) ?? null
      problems.look = null
      // Another look ended meanwhile, and may have read later: the next one tells what has been done since.
      if (wanted !== known) return
      // What was done before this server looked for the first time is not told again.
      const done = wanted === null ? [] : wantedEvents(wanted.value, value, cell.cell)
      wanted = { value }
      for (const event of done) events.emit(event)
    } catch (error) {
      if (!signal.aborted) problems.look = reasonOf(error)
    }
  }

  const list = async (): Promise<void> => {
    // Nobody's own: others wait for the same.
    const { signal } = new AbortController()
    try {
      const { fleet } = await cell.open({ signal })
      const atMs = clock.monotonicMs()
      listing = { ...(await listFleet(fleet, clock.now(), { signal })), atMs }
      problems.list = null
    } catch (error) {
      problems.list = reasonOf(error)
    } finally {
      underWay = null
    }
  }

  const nudge = (): void => {
    if (cell.isNear !== true && listing !== null && clock.monotonicMs() - listing.atMs < LISTING_MS) return
    underWay ??= list()
  }

  return {
    look,
    nudge,
    refresh: async (signal: AbortSignal): Promise<void> => {
      nudge()
      await look(signal)
      if (underWay !== null) await Promise.race([underWay, clock.sleep(WAIT_MS, signal).catch(() => undefined)])
    },
    report: (): CellFleetReport => {
      const known = wanted?.value ?? null
      const listed = listing === null ? null : listedView(listing, known, clock)
      return {
        cell: cell.cell,
        wanted: known,
        updatesFailed: failureCountOf(known),
        listed,
        problem: problems.look ?? problems.list,
      }
    },
  }
}

const listedView = (listing: TimedListing, wanted: Wanted | null, clock: Clock): CellFleetReport['listed'] => ({
  ...countFleet(listing, wanted, clock.now()),
  at: listing.at,
  ageSeconds: Math.round((clock.monotonicMs() - listing.atMs) / 1000),
})
