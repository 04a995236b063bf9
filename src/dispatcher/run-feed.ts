import { isTerminal, type Run } from '../domain/run.ts'
import type { RunEvent } from './run-event.ts'
import { eventsSince } from './run-events.ts'

/** A run while it executes here: what is known of it by now, and word when that changes. */
export interface RunFeed {
  readonly snapshot: () => Run
  readonly output: (stream: 'stdout' | 'stderr', text: string) => void
  readonly update: (run: Run) => void
  /** Nothing more is told here. */
  readonly close: () => void
  /** Resolves when the run is no longer as the reader has seen it. @throws the signal's reason */
  readonly changed: (seen: Run, signal: AbortSignal) => Promise<void>
  /** Ends after `run.completed`. @throws {BerthError} invalid_request */
  readonly follow: (lastEventId: string | null, signal: AbortSignal) => AsyncIterable<RunEvent>
}

/** @param maxOutputUnits bounds what a run that prints without end may take here */
export const createRunFeed = (first: Run, maxOutputUnits: number): RunFeed => {
  let run = first
  let change = Promise.withResolvers<void>()
  // After the first text that does not fit nothing more is taken, or a reader would see a hole.
  let full = false

  const update = (next: Run): void => {
    run = next
    change.resolve()
    change = Promise.withResolvers<void>()
  }

  /** What changed while the reader was busy is there already. */
  const changed = async (seen: Run, signal: AbortSignal): Promise<void> => {
    if (seen === run) await untilAborted(change.promise, signal)
  }

  return {
    snapshot: () => run,
    update,
    output: (stream, text) => {
      const { logs } = run
      full ||= isTerminal(run.status) || logs.stdout.length + logs.stderr.length + text.length > maxOutputUnits
      if (full) return
      update({ ...run, logs: { ...logs, [stream]: logs[stream] + text } })
    },
    changed,
    close: () => change.resolve(),
    async *follow(lastEventId, signal) {
      let position = lastEventId
      for (;;) {
        const seen = run
        for (const event of eventsSince(position, seen)) {
          position = event.id
          yield event
        }
        if (isTerminal(seen.status)) return
        await changed(seen, signal)
      }
    },
  }
}

/** @throws the signal's reason */
const untilAborted = async (change: Promise<void>, signal: AbortSignal): Promise<void> => {
  signal.throwIfAborted()
  const aborted = Promise.withResolvers<void>()
  const abort = (): void => aborted.resolve()
  signal.addEventListener('abort', abort, { once: true })
  await Promise.race([change, aborted.promise])
  signal.removeEventListener('abort', abort)
  signal.throwIfAborted()
}
