import type { BerthId } from '../domain/ids.ts'
import type { Pin, RunnerImage } from '../domain/wanted-image.ts'
import type { RolloutState } from './rollout-state.ts'

export interface Laggard {
  readonly berthId: BerthId
  readonly reason: string
}

export interface RolloutReport {
  readonly state: RolloutState
  /** Why it stopped; null when it did not. */
  readonly reason: string | null
  readonly target: RunnerImage
  /** Berths in the last listing. */
  readonly berths: number
  /** Brought to the target by this process. */
  readonly updated: number
  /** Deleted while it went on. */
  readonly gone: number
  readonly waves: readonly { readonly name: string; readonly berths: number }[]
  readonly images: Readonly<Record<string, number>>
  readonly failed: readonly Laggard[]
  readonly pinned: readonly Pin[]
}
