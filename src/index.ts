/** The package entry: the client of Berth's HTTP API, its errors, and the types that travel on the wire. */
export { createBerth, type Berth } from './client/berth.ts'
export type { BerthOptions } from './client/options.ts'
export { remedyOf, requestIdOf } from './client/problem.ts'
export type { RunCode, RunCodeOptions } from './client/run-code.ts'
export type { RunEvent } from './client/run-event.ts'
export type { EventsOptions } from './client/run-events.ts'
export type { CreateRunOptions, ListRunsOptions, Runs, Waiting } from './client/runs.ts'
export type { Artifacts } from './client/artifacts.ts'
export type { Download } from './client/download.ts'
export type { Files, UploadBody } from './client/files.ts'
export type { Keys } from './client/keys.ts'
export type { ListTenantsOptions, Tenants } from './client/tenants.ts'
export type {
  CreatedKey,
  Me,
  NewKey,
  NewTenant,
  Page,
  Reconciliation,
  Runtimes,
  StoredFile,
  WireKey,
  WireTenant,
} from './client/wire.ts'
export { errorTable } from './domain/error-table.ts'
export { BerthError, isBerthError } from './domain/errors.ts'
export type { ErrorCategory, ErrorCode, ErrorEntry } from './domain/error-table.ts'
export type { FieldError } from './domain/errors.ts'
export type {
  Artifact,
  CodeError,
  Failure,
  Language,
  Logs,
  Profile,
  Result,
  Run,
  RunRequestInput,
  RunStatus,
  Table,
} from './domain/run.ts'
export type { ExternalId, Receipt, TenantState } from './domain/tenant.ts'
