import type { BerthId } from '../ids.ts'

export interface Fence {
  /** An older runner refuses the run. */
  readonly minRunnerVersion: number
  /** What a berth behind the fence is updated to. */
  readonly image: string
}

/** The oldest runner that may execute a run, as it is set now where the berth lives. */
export interface Fences {
  /** Null where there is none. @throws {BerthError} backend_unavailable when it was never known */
  of(berthId: BerthId, options: { signal: AbortSignal }): Promise<Fence | null>
}
