import type { BerthId } from '../ids.ts'

export interface FleetMember {
  readonly berthId: BerthId
  readonly image: string
  /** A cheap listing said so, which may show the image of an update that is under way or has failed. `update` makes sure. */
  readonly unsure?: true
  /** Shares its runner with all others of the cell that say so: one update brings them all. */
  readonly together?: true
}

export interface SelfTestReport {
  readonly passed: boolean
  readonly runnerVersion: number
  readonly image: string
  readonly checks: readonly { readonly name: string; readonly passed: boolean; readonly detail: string }[]
}

/** The berths as a fleet that a rollout brings to one image. */
export interface Fleet {
  list(options: { signal: AbortSignal }): AsyncIterable<FleetMember>
  update(berthId: BerthId, image: string, options: { signal: AbortSignal }): Promise<void>
  /** Runs inside the berth: runner version, own prefix readable, another refused, no egress where none is promised. */
  selfTest(berthId: BerthId, options: { signal: AbortSignal }): Promise<SelfTestReport>
}
