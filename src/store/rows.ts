import type { QueuedRun, ServiceKey, StoredRun } from '../domain/ports/store.ts'
import { isTerminal, type Run, type RunRequest } from '../domain/run.ts'
import type { Berth, ExternalId, Receipt, Tenant } from '../domain/tenant.ts'
import type { BerthRow, RunRow, ServiceKeyRow, TenantRow } from './tables.ts'

const dateOrNull = (ms: number | null): Date | null => (ms === null ? null : new Date(ms))

/** Texts that come from errors may hold what Postgres refuses: NUL and half a surrogate pair. */
export const storableText = (text: string): string => text.replaceAll('\0', '\uFFFD').toWellFormed()

const parseExternalId = ({ project, identity_tenant: identityTenant, uid }: TenantRow): ExternalId | null =>
  project === null || identityTenant === null || uid === null ? null : { project, identityTenant, uid }

export const parseTenant = (row: TenantRow): Tenant => ({
  id: row.id,
  externalId: parseExternalId(row),
  state: row.state,
  createdAt: new Date(row.created_at),
  deletedAt: dateOrNull(row.deleted_at),
  receipt: row.receipt === null ? null : (JSON.parse(row.receipt) as Receipt),
})

export const parseBerth = (row: BerthRow): Berth => ({
  id: row.id,
  tenantId: row.tenant_id,
  state: row.state,
  backend: row.backend,
  cell: row.cell,
  runnerVersion: row.runner_version,
  image: row.image,
  lastError: row.last_error,
  createdAt: new Date(row.created_at),
  readyAt: dateOrNull(row.ready_at),
  claimedAt: dateOrNull(row.claimed_at),
})

export const parseRun = ({ record }: Pick<RunRow, 'record'>): Run => JSON.parse(record) as Run

export const parseStoredRun = (row: Pick<RunRow, 'record' | 'tenant_id' | 'berth_id'>): StoredRun => ({
  run: parseRun(row),
  tenantId: row.tenant_id,
  berthId: row.berth_id,
})

export const parseQueuedRun = (row: RunRow & { request: string }): QueuedRun => ({
  ...parseStoredRun(row),
  request: JSON.parse(row.request) as RunRequest,
  attempts: row.attempts,
})

export const parseServiceKey = (row: ServiceKeyRow): ServiceKey => ({
  id: row.id,
  name: row.name,
  role: row.role,
  project: row.project,
  createdAt: new Date(row.created_at),
  lastUsedAt: dateOrNull(row.last_used_at),
  revokedAt: dateOrNull(row.revoked_at),
})

/** The columns that follow from the run itself. */
export const runColumns = ({ run, berthId }: StoredRun) => ({
  berth_id: berthId,
  status: run.status,
  language: run.language,
  finished_at: isTerminal(run.status) ? Date.parse(run.finishedAt ?? run.createdAt) : null,
  record: JSON.stringify(run),
})
