import PQueue from 'p-queue'
import { BerthError } from '../domain/errors.ts'
import type { ProvisionerDeps } from './provisioner.ts'

const BATCH = 100
const AT_ONCE = 16
/** A place that does not take records is not asked all the time. */
const PAUSE_MS = 5000

type Deps = Pick<ProvisionerDeps, 'store' | 'berths' | 'clock' | 'events' | 'ids'>
type Due = Awaited<ReturnType<ProvisionerDeps['store']['owners']['lease']>>[number]

export interface OwnerRecorder {
  /**
   * Writes what is due, unless it is at it already; never rejects. Work that somebody waits for goes on beside it: a slow record must not
   * delay it.
   */
  readonly run: (signal: AbortSignal) => Promise<void>
}

/** Brings the records that lie with berths up to their rows, behind whatever changed a row. */
export const createOwnerRecorder = (
  deps: Deps,
  { leaseMs, onRecorded }: { leaseMs: number; onRecorded: () => void },
): OwnerRecorder => {
  const { store, clock, events, ids } = deps
  const leaseOwner = ids.secret()
  let running: Promise<void> | null = null
  let notBeforeMs = Number.NEGATIVE_INFINITY

  const all = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted && clock.monotonicMs() >= notBeforeMs) {
      const now = clock.now()
      const lease = { owner: leaseOwner, until: new Date(now.getTime() + leaseMs) }
      const batch = await store.owners.lease({ lease, limit: BATCH, now, backends: servedBy(deps) })
      if (batch.length === 0) return
      const records = await recordAll(deps, batch, { signal, withinMs: leaseMs / 2 })
      await store.owners.settle(leaseOwner, records)
      if (records.some(({ due }) => due === null)) notBeforeMs = clock.monotonicMs() + PAUSE_MS
      // A deletion may have waited for it.
      onRecorded()
    }
  }
  return {
    run: (signal) => {
      running ??= all(signal)
        .catch((error: unknown) => events.emit({ code: 'provisioner.store_failed', level: 'error', error }))
        .finally(() => {
          running = null
        })
      return running
    },
  }
}

const servedBy = ({ berths }: Pick<Deps, 'berths'>): readonly string[] => berths.movesTo ?? [berths.backend]

/** Half the lease is left when the last one ends: nobody else writes, or destroys the berth, meanwhile. */
const recordAll = async (
  deps: Deps,
  batch: readonly Due[],
  { signal, withinMs }: { signal: AbortSignal; withinMs: number },
) => {
  const ended = new AbortController()
  const late = new AbortController()
  void deps.clock.sleep(withinMs, ended.signal).then(
    () => late.abort(new BerthError('backend_unavailable', `expected the record within ${withinMs} ms, got none`)),
    () => undefined,
  )
  const queue = new PQueue({ concurrency: AT_ONCE })
  const within = AbortSignal.any([signal, late.signal])
  try {
    return await queue.addAll(batch.map((due) => () => record(deps, due, within)))
  } finally {
    ended.abort()
  }
}

const record = async ({ berths, events }: Deps, { owner, due }: Due, signal: AbortSignal) => {
  const { berthId, tenantId, state } = owner
  try {
    await berths.owners.record(owner, { signal })
    events.emit({ code: 'berth.owner_recorded', level: 'debug', berthId, tenantId, detail: { state } })
    return { berthId, due }
  } catch (error) {
    if (!signal.aborted) events.emit({ code: 'berth.owner_not_recorded', level: 'error', berthId, tenantId, error })
    return { berthId, due: null }
  }
}
