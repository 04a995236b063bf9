import { isBerthError } from '../domain/errors.ts'
import type { Clock } from '../domain/ports/clock.ts'
import type { Events } from '../domain/ports/events.ts'
import type { Backend, CellBackend } from './backend.ts'

/** A cell that did not answer is asked again after this time; until then callers get its last failure at once. */
const ASK_AGAIN_MS = 5000

export interface CellBackendOptions {
  readonly cell: string
  readonly open: (options: { readonly signal: AbortSignal }) => Promise<Backend>
  readonly clock: Clock
  readonly events: Events
}

/** Opens the cell once, at its first use, and again later when it was away: one Region that is down stops no server. */
export const createCellBackend = ({ cell, open, clock, events }: CellBackendOptions): CellBackend => {
  let opened: Backend | null = null
  let opening: Promise<Backend> | null = null
  let failed: { readonly error: unknown; readonly askAgainAtMs: number } | null = null

  const tryToOpen = async (): Promise<Backend> => {
    try {
      // Shared by all who wait, so no single one of them may cancel it.
      opened = await open({ signal: new AbortController().signal })
      events.emit({ code: 'cell.opened', level: 'info', detail: { cell } })
      return opened
    } catch (error) {
      failed = { error, askAgainAtMs: clock.monotonicMs() + ASK_AGAIN_MS }
      const code = isBerthError(error) ? error.code : 'internal'
      events.emit({ code: 'cell.not_opened', level: 'error', detail: { cell, code }, error })
      throw error
    } finally {
      opening = null
    }
  }

  return {
    cell,
    get opened() {
      return opened
    },
    open: async ({ signal }) => {
      signal.throwIfAborted()
      if (opened !== null) return opened
      if (failed !== null && clock.monotonicMs() < failed.askAgainAtMs) throw failed.error
      opening ??= tryToOpen()
      return opening
    },
  }
}
