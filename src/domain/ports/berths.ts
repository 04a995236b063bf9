import type { BerthId } from '../ids.ts'
import type { BerthOwners } from './berth-owners.ts'

export interface BerthResources {
  readonly berthId: BerthId
  /** Present but incomplete, for example after a crash in the middle of `create` or `destroy`. */
  readonly partial: boolean
}

export interface ListedBerth extends BerthResources {
  /** As rows name them. */
  readonly backend: string
  readonly cell: string
}

export interface DestroyReport {
  readonly deleted: readonly { readonly kind: string; readonly name: string; readonly count: number }[]
  /** Looked for after the deletion and not found. */
  readonly verifiedAbsent: readonly { readonly kind: string; readonly name: string }[]
}

/**
 * Whether the berth's resources can be used. `half_suspended`: a suspend or resume was cut off, and repeating it ends it. `absent`: there is
 * nothing to use. `nothing_to_suspend`: on this backend refusing runs is all there is.
 */
export type Standing = 'running' | 'suspended' | 'half_suspended' | 'absent' | 'nothing_to_suspend'

/** A berth's resources where berths live. Every method may be called again after a crash and ends in the same state. */
export interface Berths {
  /** Name of the backend as rows and logs show it: `local`, `lambda`, `lambda-shared`. */
  readonly backend: string
  /** Backends between which tenants can be moved here, `backend` among them. @default none */
  readonly movesTo?: readonly string[]
  readonly owners: BerthOwners
  /**
   * Makes what is missing of the berth. `waiting` says that a user waits for it, so that it goes before what nobody waits for.
   * @throws {BerthError} backend_unavailable, provisioning_failed
   */
  create(berthId: BerthId, options: { signal: AbortSignal; waiting?: boolean }): Promise<void>
  find(berthId: BerthId, options: { signal: AbortSignal }): Promise<BerthResources | null>
  /** Deletes everything the berth has, then looks for it again. @throws {BerthError} backend_unavailable */
  destroy(berthId: BerthId, options: { signal: AbortSignal }): Promise<DestroyReport>
  /** Every berth that has resources here, whether or not the store knows it. */
  list(options: { signal: AbortSignal }): AsyncIterable<ListedBerth>
  /**
   * Takes away what the berth's code could still use after its runs are refused: the function's right to start, credentials that it has
   * been given. Nothing to do where there are none. @throws {BerthError} backend_unavailable
   */
  suspend(berthId: BerthId, options: { signal: AbortSignal }): Promise<void>
  /** Gives back what `suspend` took; credentials from before stay worthless. @throws {BerthError} backend_unavailable */
  resume(berthId: BerthId, options: { signal: AbortSignal }): Promise<void>
  standing(berthId: BerthId, options: { signal: AbortSignal }): Promise<Standing>
  /** In what a whole berth differs from what it would be if it were made now, a sentence each. @default it has nothing that could differ */
  drift?(berthId: BerthId, options: { signal: AbortSignal }): Promise<readonly string[]>
}
