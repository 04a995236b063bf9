import type { BerthId } from '../domain/ids.ts'
import type { Lease } from '../domain/ports/store.ts'
import type { ProvisionerDeps } from './provisioner.ts'

interface Deps extends Pick<ProvisionerDeps, 'store' | 'clock' | 'events'> {
  readonly lease: () => Lease
  /** Work in hand; aborted when its lease is lost, or two processes would do it. */
  readonly held: ReadonlyMap<BerthId, AbortController>
}

/** Renews the leases of what is in hand, until the signal is aborted; then rejects with its reason. */
export const keepLeases = async (deps: Deps, leaseMs: number, signal: AbortSignal): Promise<never> => {
  let renewedAtMs = deps.clock.monotonicMs()
  for (;;) {
    await deps.clock.sleep(leaseMs / 3, signal)
    try {
      await renew(deps)
      renewedAtMs = deps.clock.monotonicMs()
    } catch (error) {
      deps.events.emit({ code: 'provisioner.store_failed', level: 'error', error })
      if (deps.clock.monotonicMs() - renewedAtMs >= leaseMs) abortAll(deps)
    }
  }
}

const renew = async ({ store, held, lease }: Deps): Promise<void> => {
  const mine = [...held.keys()]
  if (mine.length === 0) return
  const kept = await store.berths.renew(mine, lease())
  for (const id of mine) if (!kept.includes(id)) held.get(id)?.abort(new Error('the lease was lost'))
}

const abortAll = ({ held }: Deps): void => {
  for (const work of held.values()) work.abort(new Error('the lease ran out while the store did not answer'))
}
