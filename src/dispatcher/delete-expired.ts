import { isBerthError } from '../domain/errors.ts'
import type { Core } from './core.ts'

const BATCH = 200
const EVERY_MS = 10 * 60_000

/** Deletes runs that are too old, and their artifacts, until the signal is aborted; then rejects with its reason. */
export const deleteExpired = async (core: Core, signal: AbortSignal): Promise<never> => {
  for (;;) {
    try {
      while ((await deleteBatch(core)) === BATCH) signal.throwIfAborted()
    } catch (error) {
      signal.throwIfAborted()
      core.events.emit({ code: 'retention.failed', level: 'error', error })
    }
    await core.clock.sleep(EVERY_MS, signal)
  }
}

/** Not the error itself, which may name a tenant's file. */
export const reasonOf = (error: unknown): string => {
  if (isBerthError(error)) return error.code
  return error instanceof Error && 'code' in error ? String(error.code) : 'internal'
}

const deleteBatch = async ({ store, files, clock, events, settings }: Core): Promise<number> => {
  const now = clock.now()
  const before = new Date(now.getTime() - settings.retentionMs)
  const expired = await store.runs.deleteExpired({ before, now, limit: BATCH })
  // Their rows are gone, so a batch once begun is finished though the server stops.
  const { signal } = new AbortController()
  for (const { run, berthId, tenantId } of expired) {
    if (berthId === null || run.artifacts.length === 0) continue
    try {
      await files.deleteAll({ berthId, area: 'run', runId: run.id }, { signal })
    } catch (error) {
      // They still go with the berth; the other runs must not wait for them. The error itself may name the tenant's file.
      const detail = { reason: reasonOf(error) }
      events.emit({ code: 'retention.artifacts_left', level: 'error', runId: run.id, berthId, tenantId, detail })
    }
  }
  if (expired.length > 0) events.emit({ code: 'retention.deleted', level: 'info', detail: { runs: expired.length } })
  return expired.length
}
