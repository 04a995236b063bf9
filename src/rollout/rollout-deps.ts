import type { BerthId } from '../domain/ids.ts'
import type { Clock } from '../domain/ports/clock.ts'
import type { Events } from '../domain/ports/events.ts'
import type { Fleet } from '../domain/ports/fleet.ts'
import type { Ids } from '../domain/ports/ids.ts'
import type { BerthRuns } from '../domain/ports/store.ts'
import type { Wanted } from '../domain/wanted-image.ts'
import type { Probe } from './probe-runs.ts'

export interface WantedPlace {
  /** May be a few seconds old. */
  read(options: { signal: AbortSignal }): Promise<Wanted | null>
  change(change: (present: Wanted | null) => Wanted, options: { signal: AbortSignal }): Promise<Wanted>
}

/** What the store knows of berths. Without a store nothing is known, and then waves are in the order of ids. */
export interface Activity {
  /** Berths that belong to no tenant. */
  canaries(options: { signal: AbortSignal }): Promise<readonly BerthId[]>
  /** Berths whose tenants are suspended. */
  suspended(options: { signal: AbortSignal }): Promise<readonly BerthId[]>
  runsSince(since: Date, options: { signal: AbortSignal }): Promise<readonly BerthRuns[]>
}

export interface RolloutDeps {
  readonly fleet: Fleet
  readonly wanted: WantedPlace
  readonly activity: Activity | null
  /** Where runs can be sent besides self-tests, these are part of the health of a wave. */
  readonly probe?: Probe
  readonly clock: Clock
  readonly ids: Pick<Ids, 'secret'>
  readonly events: Events
}
