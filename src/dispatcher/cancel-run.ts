import { BerthError } from '../domain/errors.ts'
import type { RunId, TenantId } from '../domain/ids.ts'
import { isTerminal, type Run } from '../domain/run.ts'
import type { Core } from './core.ts'

/** @throws {BerthError} not_found, conflict */
export const cancelRun = async (core: Core, tenantId: TenantId, runId: RunId): Promise<Run> => {
  // Both before the store is asked: from hand to recorder to row, it may have gone on by then.
  const active = core.active.find(tenantId, runId)
  const ended = core.recorder.find(tenantId, runId)
  const run = await core.store.runs.requestCancel(tenantId, runId, core.clock.now())
  if (active !== null && (run === null || !isTerminal(run.status) || run.status === 'canceled'))
    active.abort.abort(new BerthError('canceled', 'the run was canceled'))
  const known = run ?? active?.feed?.snapshot() ?? (ended ?? core.recorder.find(tenantId, runId))?.run
  if (known === undefined) throw new BerthError('not_found', 'there is no run of that id')
  if (isTerminal(known.status) && known.status !== 'canceled')
    throw new BerthError('conflict', `expected a run that has not ended, got one that has ${known.status}`)
  core.events.emit({ code: 'run.cancel_requested', level: 'info', runId, tenantId })
  return known
}
