import type { BerthOwner } from '../berth-owner.ts'
import type { BerthId } from '../ids.ts'

/** What lies with a berth about whose it is. `illegible`: something does, but nothing that Berth wrote for this berth. */
export type OwnerTrace = (
  | { readonly kind: 'owned'; readonly owner: BerthOwner }
  | { readonly kind: 'illegible' }
  | { readonly kind: 'unclaimed' }
) & {
  /** True when a tenant's files, or anything else that code or a tenant put there, are in it. */
  readonly holdsFiles: boolean
}

/** Records beside a berth's files, out of reach of the code that runs in it. */
export interface BerthOwners {
  /** Replaces the record of a berth that exists. @throws {BerthError} backend_unavailable */
  record(owner: BerthOwner, options: { signal: AbortSignal }): Promise<void>
  /** Needs no row. @throws {BerthError} backend_unavailable */
  trace(berthId: BerthId, options: { signal: AbortSignal }): Promise<OwnerTrace>
}
