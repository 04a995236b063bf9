import type { BerthId, KeyId, RunId, TenantId } from '../domain/ids.ts'
import type { ServiceKey } from '../domain/ports/store.ts'
import type { Language, RunStatus } from '../domain/run.ts'
import type { BerthState, TenantState } from '../domain/tenant.ts'

// Times are milliseconds since 1970 in a bigint, JSON is text: both databases then hold and compare the same values.

export interface TenantRow {
  id: TenantId
  /** sha256 of the external id; all that a tombstone keeps. */
  external_key: string
  project: string | null
  identity_tenant: string | null
  uid: string | null
  state: TenantState
  created_at: number
  deleted_at: number | null
  receipt: string | null
}

export interface BerthRow {
  id: BerthId
  tenant_id: TenantId | null
  state: BerthState
  backend: string
  cell: string
  runner_version: number | null
  image: string | null
  last_error: string | null
  created_at: number
  ready_at: number | null
  claimed_at: number | null
  attempts: number
  next_attempt_at: number
  lease_owner: string | null
  /** 0 when nobody holds it. */
  lease_until: number
  /** The state in which the lease was taken: work that changed under its owner may not be settled as the old work. */
  leased_state: BerthState | null
  /** JSON of what the deletion removed and looked for. */
  report: string | null
  /** Whose present berth this one is to replace, or has been: it is not that tenant's own, and nobody's spare. */
  moving_of: TenantId | null
  /** 1 when files that are found in it keep it from being destroyed. */
  keep_files: number
  /** Changes of the owner that the record beside the berth's files does not tell yet. */
  owner_due: number
}

export interface RunRow {
  id: RunId
  tenant_id: TenantId
  berth_id: BerthId | null
  status: RunStatus
  language: Language
  created_at: number
  /** Null exactly while the run is not terminal. */
  finished_at: number | null
  /** Queued runs are taken in this order: `created_at`, and later by each run of the same tenant that was waiting then. */
  turn_at: number
  attempts: number
  lease_owner: string | null
  lease_until: number
  cancel_requested: number
  /** JSON of the request; null once nothing will execute it any more. */
  request: string | null
  /** JSON of the whole run. */
  record: string
}

export interface IdempotencyKeyRow {
  tenant_id: TenantId
  key_hash: string
  request_hash: string
  run_id: RunId
  expires_at: number
}

export interface EventRow {
  event_key: string
  tenant_id: TenantId
  received_at: number
}

export interface ServiceKeyRow {
  id: KeyId
  name: string
  role: ServiceKey['role']
  project: string | null
  hash: string
  created_at: number
  last_used_at: number | null
  revoked_at: number | null
}

export interface Tables {
  tenants: TenantRow
  berths: BerthRow
  runs: RunRow
  idempotency_keys: IdempotencyKeyRow
  events: EventRow
  service_keys: ServiceKeyRow
}
