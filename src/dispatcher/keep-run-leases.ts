import { BerthError } from '../domain/errors.ts'
import type { Core } from './core.ts'

/** Also how long a cancel, a suspension or a deletion that came to another process takes to arrive here. */
const MAX_HEARTBEAT_MS = 2000

/** Renews the leases of what is in hand, and brings word to stop, until the signal is aborted; then rejects with its reason. */
export const keepRunLeases = async (core: Core, signal: AbortSignal): Promise<never> => {
  const everyMs = Math.min(MAX_HEARTBEAT_MS, core.settings.leaseMs / 3)
  for (;;) {
    await core.clock.sleep(everyMs, signal)
    try {
      await renew(core)
      await stopClosed(core)
    } catch (error) {
      core.events.emit({ code: 'dispatcher.store_failed', level: 'error', error })
    }
  }
}

const renew = async ({ active, store, lease }: Core): Promise<void> => {
  const leased = active.leased()
  if (leased.length === 0) return
  const { cancel, lost } = await store.runs.heartbeat(leased, lease())
  active.abortLeased(cancel, new BerthError('canceled', 'the run was canceled'))
  active.abortLeased(lost, new BerthError('canceled', 'another process has taken the run'))
}

const stopClosed = async ({ active, berths }: Core): Promise<void> => {
  const tenantIds = active.tenants()
  if (tenantIds.length === 0) return
  for (const [tenantId, why] of await berths.findClosed(tenantIds)) active.abortTenant(tenantId, why)
}
