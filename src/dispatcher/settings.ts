import { defaultRunLimits, MAX_TIMEOUT_MS, type RunLimits } from '../domain/limits.ts'
import type { DispatcherOptions, TenantLimits } from './dispatcher.ts'

export interface Settings {
  readonly limits: RunLimits
  readonly maxTimeoutMs: number
  readonly maxMemoryMiB: number
  readonly perTenant: TenantLimits
  readonly retentionMs: number
  readonly idempotencyMs: number
  readonly drainMs: number
  readonly leaseMs: number
}

const HOUR_MS = 3_600_000
const perTenant: TenantLimits = { perSecond: 20, burst: 40, concurrency: 4, waiting: 32, queued: 100 }

export const createSettings = ({ limits = defaultRunLimits, ...options }: DispatcherOptions): Settings =>
  Object.freeze({
    maxTimeoutMs: MAX_TIMEOUT_MS,
    maxMemoryMiB: limits.memoryMiB,
    retentionMs: 7 * 24 * HOUR_MS,
    idempotencyMs: 24 * HOUR_MS,
    drainMs: 20_000,
    leaseMs: 30_000,
    ...options,
    limits,
    perTenant: { ...perTenant, ...options.perTenant },
  })

/** A dispatch takes longer than the code itself: a cold start, files to fetch, artifacts to store. */
export const DISPATCH_GRACE_MS = 15_000
/** Who is told to stop gets this long to answer with what was captured. */
export const CANCEL_GRACE_MS = 2000
/** A synchronous run waits for a place at most this long. */
export const MAX_QUEUE_MS = 30_000
