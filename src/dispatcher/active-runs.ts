import { BerthError } from '../domain/errors.ts'
import type { RunId, TenantId } from '../domain/ids.ts'
import { createKeyedWakes } from '../domain/keyed-wakes.ts'
import type { Clock } from '../domain/ports/clock.ts'
import { createWake } from '../domain/wake.ts'
import type { RunFeed } from './run-feed.ts'

export interface ActiveRun {
  readonly tenantId: TenantId
  readonly runId: RunId
  /** Ends the run with that reason. */
  readonly abort: AbortController
  /** Null for a synchronous run that nobody can watch. */
  readonly feed: RunFeed | null
  /** True when the store holds a lease of it. */
  readonly leased: boolean
}

/** The runs that this process has in hand. */
export interface ActiveRuns {
  readonly add: (run: ActiveRun) => void
  readonly remove: (run: ActiveRun) => void
  readonly find: (tenantId: TenantId, runId: RunId) => ActiveRun | null
  /** Returns when this process takes the run in hand, or the time is over. @throws the signal's reason */
  readonly waitFor: (runId: RunId, ms: number, signal: AbortSignal) => Promise<void>
  readonly leased: () => readonly RunId[]
  readonly abortLeased: (runIds: readonly RunId[], reason: BerthError) => void
  /** Whose runs are in hand. */
  readonly tenants: () => readonly TenantId[]
  readonly abortTenant: (tenantId: TenantId, reason: BerthError) => void
  /** Lets what runs end by itself for a while, then ends it, and waits until nothing is left. */
  readonly drain: (ms: number) => Promise<void>
}

export const createActiveRuns = (clock: Clock): ActiveRuns => {
  const runs = new Map<RunId, ActiveRun>()
  const added = createKeyedWakes<RunId>(clock)
  const emptied = createWake(clock)
  const never = new AbortController().signal
  return {
    add: (run) => {
      runs.set(run.runId, run)
      added.wake(run.runId)
    },
    remove: (run) => {
      if (runs.get(run.runId) === run) runs.delete(run.runId)
      // Whoever follows it asks the store from here on.
      run.feed?.close()
      if (runs.size === 0) emptied.wake()
    },
    find: (tenantId, runId) => {
      const run = runs.get(runId)
      return run?.tenantId === tenantId ? run : null
    },
    waitFor: added.wait,
    leased: () => [...runs.values()].filter(({ leased }) => leased).map(({ runId }) => runId),
    abortLeased: (runIds, reason) => {
      for (const runId of runIds) runs.get(runId)?.abort.abort(reason)
    },
    tenants: () => [...new Set([...runs.values()].map(({ tenantId }) => tenantId))],
    abortTenant: (tenantId, reason) => {
      for (const run of runs.values()) if (run.tenantId === tenantId) run.abort.abort(reason)
    },
    drain: async (ms) => {
      const deadline = clock.monotonicMs() + ms
      while (runs.size > 0 && clock.monotonicMs() < deadline) await emptied.wait(deadline - clock.monotonicMs(), never)
      const reason = new BerthError('shutting_down', 'the server stops and the run did not end in time')
      for (const run of runs.values()) run.abort.abort(reason)
      while (runs.size > 0) await emptied.wait(1000, never)
    },
  }
}
