import type { BerthId } from '../domain/ids.ts'

/** How a rollout goes, with a default for each. */
export interface RolloutSettings {
  /** Tenants that get an image before it is offered to all, in percent of the fleet. @default 2 */
  readonly ringPercent: number
  /** The same, at least. @default 5 */
  readonly ringLeast: number
  /** Berths of a wave that are self-tested. @default 5 */
  readonly sample: number
  /** Updates of a wave that may fail, in percent. @default 2 */
  readonly maxFailedPercent: number
  /** How much more often than on the old image the platform may fail a run, in percentage points. @default 5 */
  readonly maxExtraFailurePercent: number
  /** Fewer runs on the new image than this say nothing. @default 20 */
  readonly leastRuns: number
  /** How long runs are watched after the canaries and after the ring. @default 0 */
  readonly watchMs: number
  /** A self-test that takes longer has failed: a cold start takes a few seconds. @default 45000 */
  readonly selfTestMs: number
  /**
   * Warm runs of Berth's own may take so many times as long as on the old image, at the median of a wave. Of one image that median moved by
   * 2.5 at most while the load of the machine rose from 6 to 16 (docs/rollouts.md). Null times nothing. @default 3
   */
  readonly slowFactor: number | null
  /** Less than this more is never slow: it is what a loaded host adds to a healthy image, and nobody waits for it. @default 500 */
  readonly slowLeastMs: number
  /** Warm runs of a berth that are timed, after one that is not. @default 3 */
  readonly timedRuns: number
  /**
   * Where one update brings all, nobody stays on the old image to tell a slow image from an hour of load. That is for cells whose berths have
   * hosts of their own, and not for a machine that a neighbour can slow down. @default false
   */
  readonly timesTogether: boolean
  /** Updates under way at once: at 15 a second, and up to a minute each. @default 900 */
  readonly atOnce: number
  /** Tries of one update, each after a longer pause. @default 3 */
  readonly tries: number
  /**
   * How long the creation of a berth may take. One that began before the image was offered to all ends with the old one, so the last listing
   * comes that much later. @default 90000
   */
  readonly creationMs: number
}

export const defaultRolloutSettings: RolloutSettings = {
  ringPercent: 2,
  ringLeast: 5,
  sample: 5,
  maxFailedPercent: 2,
  maxExtraFailurePercent: 5,
  leastRuns: 20,
  watchMs: 0,
  selfTestMs: 45_000,
  slowFactor: 3,
  slowLeastMs: 500,
  timedRuns: 3,
  timesTogether: false,
  atOnce: 900,
  tries: 3,
  creationMs: 90_000,
}

/** Of the fleet, what is brought to the image. New berths do not get it then. */
export type RolloutScope =
  | { readonly kind: 'all' }
  | { readonly kind: 'percent'; readonly percent: number }
  | {
      readonly kind: 'berths'
      readonly berthIds: ReadonlySet<BerthId>
      /** How whoever asked for a berth called it. */
      readonly names?: ReadonlyMap<BerthId, string>
    }
