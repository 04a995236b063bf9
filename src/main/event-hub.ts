import type { BerthEvent, Events } from '../domain/ports/events.ts'

export type Subscriber = (event: BerthEvent) => void

/** Hands every event to all subscribers, in their order. They do not throw and do not wait. */
export const createEventHub = (subscribers: readonly Subscriber[]): Events => ({
  emit(event) {
    for (const subscriber of subscribers) subscriber(event)
  },
})
