import type { Tenants } from '../../client/tenants.ts'
import { errorTable } from '../../domain/error-table.ts'
import { isBerthError } from '../../domain/errors.ts'
import type { Clock } from '../../domain/ports/clock.ts'

const TRIES = 8
const FIRST_WAIT_MS = 500
const MAX_WAIT_MS = 30_000
/** Who is told to come back later than this has to decide that for himself. */
const LONGEST_RETRY_AFTER_MS = 10 * 60_000

export type ReconciledTenants = Pick<Tenants, 'list' | 'lookUp' | 'create' | 'remove'>

interface Patience {
  readonly clock: Clock
  readonly onWait: (text: string) => void
}

/** A walk over 100,000 users takes hours: longer than a client's few tries, for instance as long as a server takes to start again. */
export const createPatientTenants = (
  tenants: ReconciledTenants,
  { clock, onWait }: Patience,
): Omit<ReconciledTenants, 'list'> => {
  const patiently = async <T>(ask: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await ask()
      } catch (error) {
        const waitMs = attempt === TRIES ? null : waitAfter(error, attempt)
        if (waitMs === null) throw error
        onWait(`Berth asks to wait ${Math.ceil(waitMs / 1000)} s: ${isBerthError(error) ? error.code : ''}`)
        await clock.sleep(waitMs, signal ?? new AbortController().signal)
      }
    }
  }
  return {
    lookUp: (asked, waiting) => patiently(() => tenants.lookUp(asked, waiting), waiting?.signal),
    create: (tenant, waiting) => patiently(() => tenants.create(tenant, waiting), waiting?.signal),
    remove: (tenantId, waiting) => patiently(() => tenants.remove(tenantId, waiting), waiting?.signal),
  }
}

/** Null for what does not pass by itself. A cap is an operator's to raise. */
const waitAfter = (error: unknown, attempt: number): number | null => {
  if (!isBerthError(error) || !errorTable[error.code].retryable || error.code === 'berth_cap_reached') return null
  const askedMs = (error.retryAfterSeconds ?? 0) * 1000
  if (askedMs > LONGEST_RETRY_AFTER_MS) return null
  return Math.max(askedMs, Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** (attempt - 1)))
}
