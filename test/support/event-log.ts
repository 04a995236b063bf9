import type { BerthEvent, Events } from '../../src/domain/ports/events.ts'

/** Remembers what was told, and lets a test wait for it instead of sleeping. */
export interface EventLog extends Events {
  readonly events: readonly BerthEvent[]
  codes(): readonly string[]
  /** The next event of that code from now on. */
  next(code: string): Promise<BerthEvent>
}

export const createEventLog = (): EventLog => {
  const events: BerthEvent[] = []
  const waiting: { readonly code: string; readonly resolve: (event: BerthEvent) => void }[] = []
  return {
    events,
    codes: () => events.map(({ code }) => code),
    next: (code) => {
      const { promise, resolve } = Promise.withResolvers<BerthEvent>()
      waiting.push({ code, resolve })
      return promise
    },
    emit: (event) => {
      events.push(event)
      for (const waiter of waiting.filter(({ code }) => code === event.code)) {
        waiting.splice(waiting.indexOf(waiter), 1)
        waiter.resolve(event)
      }
    },
  }
}
