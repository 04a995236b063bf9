import { BerthError } from '../domain/errors.ts'
import type { Core } from './core.ts'

/** Also how long a cancel that came to another process takes to arrive here. */
const MAX_HEARTBEAT_MS = 2000

/** Renews the leases of what is in hand, and brings cancels, until the signal is aborted; then rejects with its reason. */
export const keepRunLeases = async (core: Core, signal: AbortSignal): Promise<never> => {
  const everyMs = Math.min(MAX_HEARTBEAT_MS, core.settings.leaseMs / 3)
  for (;;) {
    await core.clock.sleep(everyMs, signal)
    const leased = core.active.leased()
    if (leased.length === 0) continue
    try {
      const { cancel, lost } = await core.store.runs.heartbeat(leased, core.lease())
      core.active.abortLeased(cancel, new BerthError('canceled', 'the run was canceled'))
      core.active.abortLeased(lost, new BerthError('canceled', 'another process has taken the run'))
    } catch (error) {
      core.events.emit({ code: 'dispatcher.store_failed', level: 'error', error })
    }
  }
}
