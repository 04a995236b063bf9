import type { RunId } from '../domain/ids.ts'
import type { Berth } from '../domain/tenant.ts'
import type { Core } from './core.ts'
import { reasonOf } from './delete-expired.ts'

const PAGE = 200
const EVERY_MS = 6 * 3_600_000
/** Longer than any run, and than another server needs to write the records that wait in it, however short the retention is. */
const MIN_AGE_MS = 2 * 3_600_000

/**
 * Deletes what lies beside the places of runs, and artifacts that are too old and that no run knows: a server was killed between deleting rows and artifacts, or a crash
 * lost the record of a synchronous run. Until the signal is aborted; then rejects with its reason.
 */
export const sweepArtifacts = async (core: Core, signal: AbortSignal): Promise<never> => {
  for (;;) {
    try {
      await sweepOnce(core, signal)
    } catch (error) {
      signal.throwIfAborted()
      core.events.emit({ code: 'retention.failed', level: 'error', detail: { reason: reasonOf(error) } })
    }
    await core.clock.sleep(EVERY_MS, signal)
  }
}

const sweepOnce = async (core: Core, signal: AbortSignal): Promise<void> => {
  const untouchedSince = new Date(core.clock.now().getTime() - Math.max(core.settings.retentionMs, MIN_AGE_MS))
  let cursor: string | null = null
  do {
    const page = await core.store.berths.list({ cursor, limit: PAGE, states: ['ready'] })
    for (const berth of page.entries) {
      await sweepStrays(core, berth, { untouchedSince, signal })
      for (const runId of await core.files.listRuns(berth.id, { untouchedSince, signal })) {
        await sweepRun(core, { berth, runId, signal })
      }
    }
    cursor = page.nextCursor
  } while (cursor !== null)
}

const sweepStrays = async (
  core: Core,
  { id: berthId, tenantId }: Berth,
  options: { untouchedSince: Date; signal: AbortSignal },
): Promise<void> => {
  if (tenantId === null) return
  const who = { berthId, tenantId }
  try {
    const files = await core.files.deleteStrays(berthId, options)
    if (files > 0) core.events.emit({ code: 'retention.strays_swept', level: 'warn', ...who, detail: { files } })
  } catch (error) {
    options.signal.throwIfAborted()
    core.events.emit({ code: 'retention.strays_left', level: 'error', ...who, detail: { reason: reasonOf(error) } })
  }
}

const sweepRun = async (
  core: Core,
  { berth, runId, signal }: { berth: Berth; runId: RunId; signal: AbortSignal },
): Promise<void> => {
  const { id: berthId, tenantId } = berth
  // A spare has no tenant and no runs but those of its self-test.
  if (tenantId === null) return
  // A run goes from hand to recorder to row, so it is looked for in that order.
  if (core.active.find(tenantId, runId) !== null || core.recorder.find(tenantId, runId) !== null) return
  if ((await core.store.runs.find(tenantId, runId)) !== null) return
  const who = { runId, berthId, tenantId }
  try {
    await core.files.deleteAll({ berthId, area: 'run', runId }, { signal })
    core.events.emit({ code: 'retention.artifacts_swept', level: 'warn', ...who })
  } catch (error) {
    signal.throwIfAborted()
    // The next sweep tries again; the other runs must not wait for it.
    core.events.emit({ code: 'retention.artifacts_left', level: 'error', ...who, detail: { reason: reasonOf(error) } })
  }
}
