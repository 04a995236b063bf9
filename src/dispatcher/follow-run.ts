import { BerthError } from '../domain/errors.ts'
import type { RunId, TenantId } from '../domain/ids.ts'
import type { StoredRun } from '../domain/ports/store.ts'
import { isTerminal } from '../domain/run.ts'
import type { Core } from './core.ts'
import type { RunEvent } from './run-event.ts'
import { eventsSince } from './run-events.ts'

/** A run that another process executes is asked for this often. */
const POLL_MS = 500

/** The run as it is known here and now. @throws {BerthError} not_found */
export const getRun = async (core: Core, tenantId: TenantId, runId: RunId): Promise<StoredRun> => {
  // Before the others: from hand to recorder to row, a run may have gone on while the store is asked.
  const feed = core.active.find(tenantId, runId)?.feed
  const found = core.recorder.find(tenantId, runId) ?? (await core.store.runs.find(tenantId, runId))
  if (found !== null) return found
  if (feed) return { run: feed.snapshot(), tenantId, berthId: null }
  throw new BerthError('not_found', 'there is no run of that id')
}

interface Reader {
  readonly tenantId: TenantId
  readonly runId: RunId
  readonly lastEventId: string | null
  readonly signal: AbortSignal
}

/** Live from this process where it executes the run, else what the store says, until the run has ended. */
export async function* followRun(
  core: Core,
  { tenantId, runId, lastEventId, signal }: Reader,
): AsyncIterable<RunEvent> {
  let position = lastEventId
  for (;;) {
    const feed = core.active.find(tenantId, runId)?.feed
    const { run } = feed ? { run: feed.snapshot() } : await getRun(core, tenantId, runId)
    for (const event of eventsSince(position, run)) {
      position = event.id
      yield event
    }
    if (isTerminal(run.status)) return
    if (feed && core.active.find(tenantId, runId)?.feed === feed) await feed.changed(run, signal)
    else await core.active.waitFor(runId, POLL_MS, signal)
  }
}
