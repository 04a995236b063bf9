import type { Wanted } from '../wanted-image.ts'
import type { Fleet } from './fleet.ts'

export interface WantedReader {
  /** May be a few seconds old; null before the first image. @throws {BerthError} config_invalid, backend_unavailable */
  read(options: { signal: AbortSignal }): Promise<Wanted | null>
}

/** One cell as it is looked at: what runs, and what is wanted. */
export interface FleetCell {
  readonly cell: string
  /** A listing costs next to nothing, so one is made for every answer. */
  readonly isNear?: true
  /** `wanted` is null where nothing is wanted. @throws {BerthError} backend_unavailable */
  open(options: {
    signal: AbortSignal
  }): Promise<{ readonly fleet: Pick<Fleet, 'list'>; readonly wanted: WantedReader | null }>
}
