import PQueue from 'p-queue'
import type { BerthId } from '../domain/ids.ts'
import type { Lease, LeasedBerth } from '../domain/ports/store.ts'
import { createWake } from '../domain/wake.ts'
import { attempt, type AttemptDeps } from './attempt.ts'
import { finishDeletions } from './finish-deletions.ts'
import { keepLeases } from './keep-leases.ts'
import { createOwnerRecorder } from './owner-recorder.ts'
import type { ProvisionerDeps, ProvisionerOptions } from './provisioner.ts'

export type WorkSettings = Required<Omit<ProvisionerOptions, 'lookupTtlMs' | 'readyWaitMs' | 'waitingPerTenant'>>

export interface BerthWork {
  /** There may be work now. */
  readonly wake: () => void
  readonly start: (signal: AbortSignal) => Promise<void>
}

/** Leases berths that are due and brings each to its next state, a few at once. */
export const createBerthWork = (
  deps: ProvisionerDeps & { readonly onSettled: (berth: LeasedBerth) => void } & Pick<AttemptDeps, 'onMoved'>,
  settings: WorkSettings,
): BerthWork => {
  const { store, clock, events } = deps
  const { wake, wait } = createWake(clock)
  const owner = deps.ids.secret()
  const held = new Map<BerthId, AbortController>()
  const queue = new PQueue({ concurrency: settings.concurrency })
  const recorder = createOwnerRecorder(deps, { leaseMs: settings.leaseMs, onRecorded: wake })

  const lease = (): Lease => ({ owner, until: new Date(clock.now().getTime() + settings.leaseMs) })

  const take = async (signal: AbortSignal): Promise<void> => {
    const limit = settings.concurrency - held.size
    const due = limit > 0 ? await store.berths.lease({ lease: lease(), limit, now: clock.now() }) : []
    // A lease of our own may seem to have ended after a jump of the clock or an outage of the store.
    for (const berth of due) if (!held.has(berth.id)) void queue.add(() => workOn(berth, signal))
  }

  const workOn = async (berth: LeasedBerth, signal: AbortSignal): Promise<void> => {
    const lost = new AbortController()
    held.set(berth.id, lost)
    const attemptDeps: AttemptDeps = {
      ...deps,
      owner,
      moveGraceMs: settings.moveGraceMs,
      retryIn: (ms) => void clock.sleep(ms, signal).then(wake, () => undefined),
    }
    await attempt(attemptDeps, settings, { berth, signal: AbortSignal.any([signal, lost.signal]) }).catch(
      // The lease runs out and the work is done again, by this process or by another.
      (error: unknown) => events.emit({ code: 'berth.attempt_lost', level: 'error', berthId: berth.id, error }),
    )
    held.delete(berth.id)
    deps.onSettled(berth)
    wake()
  }

  const round = async (signal: AbortSignal): Promise<void> => {
    try {
      await refillSpares(deps, settings)
      await take(signal)
      await finishDeletions(deps)
      // Beside the loop: a slow record must not delay who waits for a berth.
      void recorder.run(signal)
    } catch (error) {
      events.emit({ code: 'provisioner.store_failed', level: 'error', error })
    }
  }

  return {
    wake,
    start: async (signal) => {
      const stopped = new AbortController()
      const leases = keepLeases({ ...deps, lease, held }, settings.leaseMs, stopped.signal).catch(() => undefined)
      while (!signal.aborted) {
        await round(signal)
        await wait(settings.pollMs, signal)
      }
      // Aborted attempts hand their leases back before they end.
      await queue.onIdle()
      await recorder.run(signal)
      stopped.abort()
      await leases
    },
  }
}

const refillSpares = async (deps: ProvisionerDeps, settings: WorkSettings): Promise<void> => {
  const { pickCell, spares, maxBerths } = settings
  const { backend } = deps.berths
  for (let left = spares; left > 0; left -= 1) {
    const cell = await pickCell({ purpose: 'spare' })
    if (cell === null) return
    const newBerthId = deps.ids.berthId()
    const spare = { newBerthId, backend, cell, maxSpares: spares, maxBerths, now: deps.clock.now() }
    if ((await deps.store.berths.insertSpare(spare)) === null) return
    deps.events.emit({ code: 'spare.added', level: 'debug', berthId: newBerthId })
  }
}
