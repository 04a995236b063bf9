import type { BerthId, RunId, TenantId } from '../ids.ts'

/** What happened, as a code and ids. Never a tenant's code, output, variables, file names, external ids or secrets. */
export interface BerthEvent {
  /** `noun.verb`, for example `tenant.signed_up`, `berth.ready`, `run.finished`. */
  readonly code: string
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly tenantId?: TenantId | undefined
  readonly berthId?: BerthId | undefined
  readonly runId?: RunId | undefined
  readonly requestId?: string | undefined
  /** Numbers and short words that logs and metrics use. */
  readonly detail?: Readonly<Record<string, string | number | boolean | null>>
  readonly error?: unknown
}

/** Services tell what happened; logs, metrics and progress subscribe at the composition root. */
export interface Events {
  emit(event: BerthEvent): void
}
