import type { BerthOwner } from '../berth-owner.ts'
import type { BerthId } from '../ids.ts'
import type { Tenant } from '../tenant.ts'
import type { Lease } from './store.ts'

/**
 * What becomes of a berth without a row. own: it is its tenant's. replace: as well, in place of an empty one that the tenant was given
 * since. left: the tenant has another; this one goes as soon as it holds no files. deprovision: its tenant was or is being deleted.
 */
export type Adoption = 'own' | 'replace' | 'left' | 'deprovision'

interface Found {
  readonly backend: string
  readonly cell: string
  /** Complete, so that it needs no work before its tenant uses it. */
  readonly whole: boolean
  readonly now: Date
}

/** Whose berths are: what must be told to the places where they live, and what was learned from there. */
export interface OwnerStore {
  /** As it should lie with the berth; null for a spare and for a berth without a row. */
  find(berthId: BerthId): Promise<BerthOwner | null>
  /**
   * Takes berths whose record is behind their row. Until it is settled nobody destroys such a berth. `due` grows with each change.
   */
  lease(options: {
    lease: Lease
    limit: number
    /** Berths of others are left alone. */
    backends: readonly string[]
    now: Date
  }): Promise<readonly { readonly owner: BerthOwner; readonly due: number }[]>
  /** Gives back what was leased; `due` null says that the record could not be written. */
  settle(
    leaseOwner: string,
    records: readonly { readonly berthId: BerthId; readonly due: number | null }[],
  ): Promise<void>
  /** The record that lies with the berth is not what it should be. */
  markDue(berthId: BerthId): Promise<void>
  /** By the hash of the external id. */
  findTenant(externalKey: string): Promise<Tenant | null>
  /**
   * Makes the rows of a berth that was found without one, and of its tenant, known by hash only, when there is none. All or nothing; false
   * when the berth has a row already. @throws {BerthError} conflict when the rows that are there do not allow it
   */
  adopt(options: Found & { readonly owner: BerthOwner; readonly adoption: Adoption }): Promise<boolean>
  /** A row of a berth that nobody has ever used; it becomes a spare after its self-test. False when it has a row already. */
  adoptSpare(options: Omit<Found, 'whole'> & { readonly berthId: BerthId }): Promise<boolean>
}
