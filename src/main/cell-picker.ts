import type { Clock } from '../domain/ports/clock.ts'
import type { Events } from '../domain/ports/events.ts'
import type { BerthStore, CellCount } from '../domain/ports/store.ts'
import type { PickCell } from '../provisioner/provisioner.ts'

export interface CellRoom {
  readonly name: string
  readonly maxBerths: number
  /** Berths for which AWS has room there besides the `living` ones of Berth. Reading it shows as well that the cell answers. */
  readonly signUpsLeft: (options: { readonly living: number; readonly signal: AbortSignal }) => Promise<number>
}

export interface CellPickerOptions {
  readonly cells: readonly CellRoom[]
  readonly backend: string
  readonly berths: Pick<BerthStore, 'countByCell'>
  readonly clock: Clock
  readonly events: Events
}

export interface CellPicker {
  readonly pick: PickCell
  /** The cell did not do its part just now: others go first until it answers again. */
  readonly unavailable: (name: string) => void
  /** Asks every cell for its room once. */
  readonly look: (signal: AbortSignal) => Promise<void>
  /** Asks again and again until the signal is aborted. */
  start(signal: AbortSignal): Promise<void>
}

/** Quotas change seldom, and reading them takes requests that sign-ups need. */
const LOOK_EVERY_MS = 60_000
/** Counts may be this old; what this process gave away meanwhile is counted along. */
const COUNTS_TTL_MS = 1000

interface Place {
  readonly room: CellRoom
  up: boolean
  /** Berths that may be there at most, from the last look. */
  most: number
  living: number
  readySpares: number
  told: 'full' | 'down' | null
}

/** Least full first, among cells that answer and have room. */
export const createCellPicker = (options: CellPickerOptions): CellPicker => {
  const places = options.cells.map((room): Place => ({
    room,
    up: true,
    most: room.maxBerths,
    living: 0,
    readySpares: 0,
    told: null,
  }))
  const freshCounts = createCounts(options, places)
  const look = async (signal: AbortSignal): Promise<void> => {
    await freshCounts()
    await Promise.all(places.map((place) => lookAt(options.events, place, signal)))
  }
  return {
    look,
    pick: async ({ purpose }) => {
      await freshCounts()
      for (const place of places) if (place.up) tell(options.events, place, hasRoom(place) ? null : 'full')
      return take(places, (place) => purpose === 'signUp' && place.readySpares > 0)
    },
    unavailable: (name) => {
      const place = places.find(({ room }) => room.name === name)
      if (place === undefined) return
      place.up = false
      tell(options.events, place, 'down')
    },
    start: async (signal) => {
      while (!signal.aborted) {
        await look(signal).catch((error: unknown) => {
          if (!signal.aborted) options.events.emit({ code: 'cell.not_counted', level: 'error', error })
        })
        await options.clock.sleep(LOOK_EVERY_MS, signal).catch(() => undefined)
      }
    },
  }
}

/** Keeps the counts of the places no older than a second; asked by many at once, the store is asked once. */
const createCounts = ({ berths, backend, clock }: CellPickerOptions, places: readonly Place[]) => {
  let countedAtMs = Number.NEGATIVE_INFINITY
  let counting: Promise<void> | null = null
  const recount = async (): Promise<void> => {
    const counts = (await berths.countByCell()).filter((count) => count.backend === backend)
    for (const place of places) Object.assign(place, countOf(counts, place))
    countedAtMs = clock.monotonicMs()
  }
  return async (): Promise<void> => {
    if (clock.monotonicMs() - countedAtMs < COUNTS_TTL_MS) return
    counting ??= recount().finally(() => {
      counting = null
    })
    await counting
  }
}

const countOf = (counts: readonly CellCount[], { room }: Place) => {
  const count = counts.find(({ cell }) => cell === room.name)
  return { living: count?.living ?? 0, readySpares: count?.readySpares ?? 0 }
}

const lookAt = async (events: Events, place: Place, signal: AbortSignal): Promise<void> => {
  try {
    const left = await place.room.signUpsLeft({ living: place.living, signal })
    place.up = true
    place.most = Math.min(place.room.maxBerths, place.living + left)
    tell(events, place, hasRoom(place) ? null : 'full')
  } catch (error) {
    if (signal.aborted) return
    place.up = false
    tell(events, place, 'down', error)
  }
}

/** Says it once, when it changes. */
// A place, what is said of it and why belong together.
// oxlint-disable-next-line max-params
const tell = (events: Events, place: Place, reason: Place['told'], error?: unknown): void => {
  if (place.told === reason) return
  const code = reason === null ? 'cell.back' : 'cell.passed_over'
  place.told = reason
  const detail = { cell: place.room.name, reason: reason ?? 'has room', living: place.living, most: place.most }
  events.emit({ code, level: reason === null ? 'info' : 'warn', detail, error })
}

const take = (places: readonly Place[], usesSpare: (place: Place) => boolean): string | null => {
  const open = places.filter((place) => hasRoom(place) || usesSpare(place))
  // When none answers the berth waits for the one that comes back: a sign-up is never refused for an outage.
  const candidates = open.some(({ up }) => up) ? open.filter(({ up }) => up) : open
  const best = candidates.toSorted((one, other) => rank(one, usesSpare) - rank(other, usesSpare))[0]
  if (best === undefined) return null
  if (usesSpare(best)) best.readySpares -= 1
  else best.living += 1
  return best.room.name
}

const hasRoom = ({ living, most }: Place): boolean => living < most

/** A ready spare lets the tenant run at once, so its cell goes before all others; then the least full. */
const rank = (place: Place, usesSpare: (place: Place) => boolean): number =>
  place.living / Math.max(1, place.most) - (usesSpare(place) ? 2 : 0)
