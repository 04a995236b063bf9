import { BerthError } from '../domain/errors.ts'
import type { Clock } from '../domain/ports/clock.ts'
import type { Ticket } from './admission.ts'

interface Waiting {
  /** Null to wait as long as it takes. */
  readonly maxMs: number | null
  readonly signal: AbortSignal
}

/** @throws {BerthError} queue_full after maxMs; shutting_down; the reason of the signal */
export const waitForPlace = async (clock: Clock, ticket: Ticket, { maxMs, signal }: Waiting): Promise<void> => {
  signal.throwIfAborted()
  if (ticket.granted === null) return
  const ended = new AbortController()
  const refused = Promise.withResolvers<never>()
  refused.promise.catch(() => undefined)
  const abort = (): void => refused.reject(signal.reason as Error)
  signal.addEventListener('abort', abort, { once: true })
  if (maxMs !== null) {
    const late = new BerthError('queue_full', `no place became free within ${maxMs} ms`, { retryAfterSeconds: 5 })
    clock.sleep(maxMs, ended.signal).then(
      () => refused.reject(late),
      () => undefined,
    )
  }
  try {
    await Promise.race([ticket.granted, refused.promise])
  } finally {
    // A reason of its own: without one each abort makes an exception with its stack.
    ended.abort('over')
    signal.removeEventListener('abort', abort)
  }
}
