import type { BerthEvent, Events } from '../../src/domain/ports/events.ts'

/** Remembers what was told, and lets a test wait for it instead of sleeping. */
export interface EventLog extends Events {
  readonly events: readonly BerthEvent[]
  codes(): readonly string[]
  /** The next event of that code from now on; with a tenant, the next about them: others of the file may have theirs at the same time. */
  next(code: string, tenantId?: string): Promise<BerthEvent>
}

export const createEventLog = (): EventLog => {
  const events: BerthEvent[] = []
  const waiting: { readonly suits: (event: BerthEvent) => boolean; readonly resolve: (event: BerthEvent) => void }[] =
    []
  return {
    events,
    codes: () => events.map(({ code }) => code),
    next: (code, tenantId) => {
      const { promise, resolve } = Promise.withResolvers<BerthEvent>()
      const suits = (event: BerthEvent) =>
        event.code === code && (tenantId === undefined || event.tenantId === tenantId)
      waiting.push({ suits, resolve })
      return promise
    },
    emit: (event) => {
      events.push(event)
      for (const waiter of waiting.filter(({ suits }) => suits(event))) {
        waiting.splice(waiting.indexOf(waiter), 1)
        waiter.resolve(event)
      }
    },
  }
}
