import type { BerthId, KeyId, RunId, TenantId } from '../ids.ts'
import type { Run, RunRequest, RunStatus } from '../run.ts'
import type { OwnerStore } from './owner-store.ts'
import type { Berth, BerthState, ExternalId, Receipt, Tenant, TenantState } from '../tenant.ts'

/** Everything Berth must remember. One object per concern; every method is one transaction. */
export interface Store extends AsyncDisposable {
  readonly tenants: TenantStore
  readonly berths: BerthStore
  readonly owners: OwnerStore
  readonly runs: RunStore
  readonly keys: KeyStore
  /** Resolves when the database answers. @throws {BerthError} store_unavailable */
  ping(options: { signal: AbortSignal }): Promise<void>
}

export interface Page<T> {
  readonly entries: readonly T[]
  /** Opaque; null on the last page. */
  readonly nextCursor: string | null
}

export interface PageRequest {
  readonly cursor: string | null
  readonly limit: number
}

export interface HookEvent {
  /** Unique per event of the provider; a second arrival changes nothing, one for another user is a conflict. */
  readonly id: string
}

export interface SignUp {
  readonly tenant: Tenant
  /** Null only for `tombstone`. */
  readonly berth: Berth | null
  /** `created` now, `existing` already there, `tombstone` deleted earlier: it stays deleted. */
  readonly outcome: 'created' | 'existing' | 'tombstone'
}

export type BerthReport = Pick<Receipt, 'deleted' | 'verifiedAbsent'>

export interface DeprovisionedTenant extends Tenant {
  readonly reports: readonly (BerthReport & { readonly berthId: BerthId })[]
}

export interface TenantStore {
  /**
   * Idempotent on the external id, then on the event id. A new tenant gets a ready spare in the same transaction, or a
   * row of a berth to provision when there is none. An existing tenant without a berth gets one too.
   * At the cap a spare that is still being provisioned is given.
   * @throws {BerthError} berth_cap_reached when a new berth row would exceed maxBerths, or a berth maxBerthsPerProject
   * @throws {BerthError} conflict when the event id was used for another user
   */
  signUp(options: {
    externalId: ExternalId
    event: HookEvent | null
    newTenantId: TenantId
    newBerthId: BerthId
    backend: string
    cell: string
    maxBerths: number
    /** Living berths that the tenants of this external id's project may have. @default no cap of its own */
    maxBerthsPerProject?: number
    now: Date
  }): Promise<SignUp>
  /**
   * Marks the tenant and its berths for deprovisioning. An unknown external id leaves a tombstone, since `user.deleted`
   * may come before a late `user.created`. Idempotent. @throws {BerthError} not_found for a tenant id that nobody has
   */
  requestDeletion(options: {
    /** Or the tenant's own id: one that was found with its berth is known by hash only until it comes again. */
    externalId: ExternalId | TenantId
    event: HookEvent | null
    newTenantId: TenantId
    now: Date
  }): Promise<Tenant>
  find(tenantId: TenantId): Promise<Tenant | null>
  findByExternalId(externalId: ExternalId): Promise<Tenant | null>
  /** In the order in which they are asked for; null for who is not known. */
  findByExternalIds(externalIds: readonly ExternalId[]): Promise<readonly (Tenant | null)[]>
  /** Oldest first. */
  list(options: PageRequest & { state: TenantState | null }): Promise<Page<Tenant>>
  /** States of those that exist. */
  statesOf(tenantIds: readonly TenantId[]): Promise<ReadonlyMap<TenantId, TenantState>>
  /** active ↔ suspended. Null when the tenant is in neither state. */
  setSuspended(tenantId: TenantId, suspended: boolean): Promise<Tenant | null>
  /**
   * The row of a berth on another backend, in the present one's cell, that takes its place in the moment in which it is settled as ready;
   * then the present one is to be destroyed. Given again while it is on its way, it is the same berth.
   * With `keepFiles` files that are found in the berth that was left keep it from being destroyed.
   * @throws {BerthError} not_found; conflict when the tenant is not active, its berth is not ready or is on that backend, or an earlier
   * move has not ended; berth_cap_reached
   */
  beginMove(options: {
    tenantId: TenantId
    newBerthId: BerthId
    backend: string
    keepFiles: boolean
    maxBerths: number
    now: Date
  }): Promise<Berth>
  /** The berth that is on its way to replace the tenant's own, or that a move has left and that still exists. */
  findMove(tenantId: TenantId): Promise<Berth | null>
  /** Deprovisioning tenants all of whose berths are deleted, with what `settle` reported of each berth. */
  listDeprovisioned(options: { limit: number }): Promise<readonly DeprovisionedTenant[]>
  /**
   * Writes the receipt, deletes runs, idempotency keys and the external id, and leaves a tombstone (a hash). Idempotent.
   * @throws {BerthError} conflict when the tenant is not being deleted or has a berth left
   */
  finishDeprovision(tenantId: TenantId, receipt: Receipt, now: Date): Promise<void>
}

export interface Lease {
  /** Random per process. */
  readonly owner: string
  readonly until: Date
}

export interface LeasedBerth extends Berth {
  readonly attempts: number
  /** For a berth that is to replace a tenant's own, or that such a move has left. */
  readonly move: { readonly tenantId: TenantId; readonly keepsFiles: boolean } | null
}

export interface CellCount {
  readonly backend: string
  readonly cell: string
  /** Berths that exist or are meant to, spares included; those being deleted still take room. */
  readonly living: number
  readonly readySpares: number
}

export interface BerthStore {
  /** A spare to provision. Null when maxSpares spares (ready or on the way) or maxBerths berths exist. */
  insertSpare(options: {
    newBerthId: BerthId
    backend: string
    cell: string
    maxSpares: number
    maxBerths: number
    now: Date
  }): Promise<Berth | null>
  find(berthId: BerthId): Promise<Berth | null>
  findByTenant(tenantId: TenantId): Promise<Berth | null>
  /** Oldest first. */
  list(options: PageRequest & { states: readonly BerthState[] | null }): Promise<Page<Berth>>
  countByState(): Promise<Readonly<Record<BerthState, number>> & { readonly spare: number }>
  /** Cells without a berth are left out. */
  countByCell(): Promise<readonly CellCount[]>
  /**
   * Takes due work (provisioning or deprovisioning, not leased by another, nextAttemptAt passed) and leases it.
   * Waiting tenants first, then deletions, then spares.
   */
  lease(options: { lease: Lease; limit: number; now: Date }): Promise<readonly LeasedBerth[]>
  /** Extends what this owner still holds and answers with those; `until` = now hands them back. */
  renew(berthIds: readonly BerthId[], lease: Lease): Promise<readonly BerthId[]>
  /** Moves on work that this owner still holds; false when the lease was lost, and then nothing is written. */
  settle(
    berthId: BerthId,
    owner: string,
    outcome:
      | {
          readonly kind: 'ready'
          readonly runnerVersion: number
          readonly image: string
          readonly now: Date
          /** When the berth that this one replaces may be destroyed. @default now */
          readonly retireAt?: Date
        }
      | { readonly kind: 'deleted'; readonly report: BerthReport }
      | { readonly kind: 'retry'; readonly error: string; readonly nextAttemptAt: Date }
      | { readonly kind: 'failed'; readonly error: string },
  ): Promise<boolean>
  /** What reconcile decides: a failed berth tries again, a berth nobody owns is deprovisioned, a lost one is made anew. */
  setState(berthId: BerthId, from: readonly BerthState[], to: BerthState): Promise<boolean>
}

export interface StoredRun {
  readonly run: Run
  readonly tenantId: TenantId
  readonly berthId: BerthId | null
}

export interface QueuedRun extends StoredRun {
  readonly request: RunRequest
  readonly attempts: number
}

export interface IdempotencyKey {
  readonly key: string
  /** sha256 of the canonical request. */
  readonly requestHash: string
  readonly expiresAt: Date
}

export type RunInsertion =
  | { readonly outcome: 'created' }
  /** The same key with the same body: the first run, whatever its state. */
  | { readonly outcome: 'replayed'; readonly run: Run }
  /** The same key with another body. */
  | { readonly outcome: 'conflict' }

/** Finished runs of one berth. */
export interface BerthRuns {
  readonly berthId: BerthId
  readonly runs: number
  /** Of these, ended by Berth or the runner and not by the tenant's code. */
  readonly platformFailures: number
  readonly lastAt: Date
}

export interface RunStore {
  /**
   * Durable when it resolves. With `lease` the inserting process executes it itself at once.
   * @throws {BerthError} tenant_deleted when the tenant is not there or is being deleted
   */
  insert(options: {
    stored: StoredRun
    request: RunRequest
    idempotency: IdempotencyKey | null
    lease: Lease | null
  }): Promise<RunInsertion>
  /**
   * Finished synchronous runs, many in one commit that does not wait for the disk: when it resolves they outlive this process, while a
   * crash of the machine or of the database may lose them, and docs say so. Those of deleted tenants are dropped.
   */
  record(runs: readonly StoredRun[]): Promise<void>
  /**
   * Queued runs and runs whose lease ran out: of one tenant the oldest first, and no tenant who has many delays the others.
   * A run whose cancel was asked for is settled as canceled instead.
   */
  lease(options: { lease: Lease; limit: number; now: Date }): Promise<readonly QueuedRun[]>
  /** Writes progress or the end of a run that this owner still leases; extends the lease while not terminal. */
  settle(runId: RunId, lease: Lease, stored: StoredRun): Promise<boolean>
  /**
   * Extends the leases of these runs. Says which of them should be canceled, and which are lost: another owner has
   * them, they are settled already, or their tenant is gone. Nothing is written for a lost one any more.
   */
  heartbeat(
    runIds: readonly RunId[],
    lease: Lease,
  ): Promise<{ readonly cancel: readonly RunId[]; readonly lost: readonly RunId[] }>
  /** Marks a run to be canceled; a queued one is canceled at once. Null when it is not this tenant's. */
  requestCancel(tenantId: TenantId, runId: RunId, now: Date): Promise<Run | null>
  find(tenantId: TenantId, runId: RunId): Promise<StoredRun | null>
  /** Newest first. */
  list(options: PageRequest & { tenantId: TenantId; status: RunStatus | null }): Promise<Page<Run>>
  /** Runs that have finished since then, by berth; berths without any are left out. */
  countByBerth(options: { since: Date }): Promise<readonly BerthRuns[]>
  /** Deletes terminal runs and idempotency keys that are older; the ids let the caller delete their artifacts. */
  deleteExpired(options: { before: Date; now: Date; limit: number }): Promise<readonly StoredRun[]>
}

export interface ServiceKey {
  readonly id: KeyId
  readonly name: string
  readonly role: 'operator' | 'service'
  /** For `service`: the identity project whose tenants it may act for. */
  readonly project: string | null
  readonly createdAt: Date
  readonly lastUsedAt: Date | null
  readonly revokedAt: Date | null
}

export interface KeyStore {
  /** `hash` is sha256 of the secret, hex. A second insert of the same hash changes nothing. */
  insert(key: ServiceKey, hash: string): Promise<void>
  findByHash(hash: string): Promise<ServiceKey | null>
  list(): Promise<readonly ServiceKey[]>
  revoke(keyId: KeyId, now: Date): Promise<ServiceKey | null>
  /** Written behind, at most once a minute per key. */
  touch(keyId: KeyId, now: Date): Promise<void>
}
