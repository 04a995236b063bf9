import type { BerthStore } from '../domain/ports/store.ts'
import type { Clock } from '../domain/ports/clock.ts'
import type { Events } from '../domain/ports/events.ts'

/** How full the cap of berths is. */
export type Room = 'free' | 'near_cap' | 'at_cap'

export interface RoomWatch {
  /** From the last count, which is repeated when it is older than a few seconds. */
  read(): Promise<Room>
  /** Counts behind whoever calls it, and tells when it became another. */
  check(): void
}

const NEAR = 0.8
const COUNT_EVERY_MS = 5000

interface RoomWatchDeps {
  readonly berths: Pick<BerthStore, 'countByState'>
  readonly clock: Clock
  readonly events: Events
}

const LEVELS = { free: 'info', near_cap: 'warn', at_cap: 'error' } as const

/** The operator's alarm: once at 80 % of the cap, once when it is full, once when there is room again. */
export const createRoomWatch = ({ berths, clock, events }: RoomWatchDeps, maxBerths: number): RoomWatch => {
  let told: Room = 'free'
  let counting: Promise<Room> | null = null
  let again = false
  let countedAt = Number.NEGATIVE_INFINITY

  const count = async (): Promise<Room> => {
    const { deleted: _gone, spare: _ready, ...living } = await berths.countByState()
    const total = Object.values(living).reduce((sum, some) => sum + some, 0)
    const room = total >= maxBerths ? 'at_cap' : total >= maxBerths * NEAR ? 'near_cap' : 'free'
    if (room !== told) events.emit({ code: `room.${room}`, level: LEVELS[room], detail: { berths: total, maxBerths } })
    told = room
    countedAt = clock.monotonicMs()
    if (!again) return room
    again = false
    return count()
  }

  const counted = (): Promise<Room> => {
    counting ??= count().finally(() => {
      counting = null
      again = false
    })
    return counting
  }

  return {
    read: async () => (clock.monotonicMs() - countedAt < COUNT_EVERY_MS ? told : counted()),
    check: () => {
      // A count under way may have read before what is to be seen.
      again = counting !== null
      // A store that is down is told to whoever signs up; the next sign-up counts again.
      counted().catch(() => undefined)
    },
  }
}
