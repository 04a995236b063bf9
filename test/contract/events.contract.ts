import { describe, expect, test } from 'vitest'
import type { BerthEvent, Events } from '../../src/domain/ports/events.ts'

/** What every Events keeps. `make` hands what it is told to all of the subscribers. */
export const describeEvents = (name: string, make: (subscribers: ((event: BerthEvent) => void)[]) => Events): void => {
  describe(`Events: ${name}`, () => {
    test('every subscriber hears every event, in order, before emit returns', () => {
      const heard: string[] = []
      const events = make([(event) => heard.push(`a ${event.code}`), (event) => heard.push(`b ${event.code}`)])

      events.emit({ code: 'berth.ready', level: 'info' })
      events.emit({ code: 'run.finished', level: 'info' })

      expect(heard).toEqual(['a berth.ready', 'b berth.ready', 'a run.finished', 'b run.finished'])
    })

    test('nobody listening is fine', () => {
      expect(() => make([]).emit({ code: 'berth.ready', level: 'info' })).not.toThrow()
    })
  })
}
