import type { BerthId } from '../ids.ts'

export interface BerthResources {
  readonly berthId: BerthId
  /** Present but incomplete, for example after a crash in the middle of `create` or `destroy`. */
  readonly partial: boolean
}

export interface DestroyReport {
  readonly deleted: readonly { readonly kind: string; readonly name: string; readonly count: number }[]
  /** Looked for after the deletion and not found. */
  readonly verifiedAbsent: readonly { readonly kind: string; readonly name: string }[]
}

/** A berth's resources where berths live. Every method may be called again after a crash and ends in the same state. */
export interface Berths {
  /** Name of the backend as rows and logs show it: `local`, `lambda`, `lambda-shared`. */
  readonly backend: string
  /** Makes what is missing of the berth. @throws {BerthError} backend_unavailable, provisioning_failed */
  create(berthId: BerthId, options: { signal: AbortSignal }): Promise<void>
  find(berthId: BerthId, options: { signal: AbortSignal }): Promise<BerthResources | null>
  /** Deletes everything the berth has, then looks for it again. @throws {BerthError} backend_unavailable */
  destroy(berthId: BerthId, options: { signal: AbortSignal }): Promise<DestroyReport>
  /** Every berth that has resources here, whether or not the store knows it. */
  list(options: { signal: AbortSignal }): AsyncIterable<BerthResources>
}
