import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { nextRolloutState, type RolloutEventKind, type RolloutState } from '../../src/rollout/rollout-state.ts'

const kinds: readonly RolloutEventKind[] = [
  'waves_planned',
  'only_planned',
  'wave_updated',
  'healthy',
  'last_wave_healthy',
  'unhealthy',
  'held',
  'superseded',
  'found_more',
  'nothing_left',
  'failures_left',
  'roll_back',
]
const walk = (events: readonly RolloutEventKind[]): { state: RolloutState; by: RolloutEventKind | null }[] => {
  const steps: { state: RolloutState; by: RolloutEventKind | null }[] = [{ state: 'planning', by: null }]
  for (const event of events) {
    const next = nextRolloutState(steps.at(-1)?.state ?? 'planning', event)
    if (next !== null) steps.push({ state: next, by: event })
  }
  return steps
}
const someEvents = fc.array(fc.constantFrom(...kinds), { maxLength: 40 })
const over = new Set<RolloutState>(['planned', 'done', 'some_failed', 'held', 'superseded', 'halted', 'rolled_back'])

test('what is over stays over, and what is not can still stop', () => {
  fc.assert(
    fc.property(someEvents, (events) => {
      const states = walk(events).map(({ state }) => state)
      expect(states.slice(0, -1).filter((state) => over.has(state))).toEqual([])
      const last = states.at(-1) ?? 'planning'
      expect(nextRolloutState(last, 'superseded')).toBe(over.has(last) ? null : 'superseded')
    }),
  )
})

test('it is done only after the last wave was well and a listing showed nothing left', () => {
  fc.assert(
    fc.property(someEvents, (events) => {
      const steps = walk(events)
      if (steps.at(-1)?.state !== 'done') return
      expect(steps.map(({ by }) => by)).toEqual(
        expect.arrayContaining(['wave_updated', 'last_wave_healthy', 'nothing_left']),
      )
      expect(steps.map(({ by }) => by)).not.toContain('unhealthy')
    }),
  )
})

test('every wave that was updated is checked before the next', () => {
  fc.assert(
    fc.property(someEvents, (events) => {
      const states = walk(events).map(({ state }) => state)
      const before = states.flatMap((state, index) => (state === 'updating' ? [states[index - 1]] : []))
      expect(before.filter((state) => state !== 'planning' && state !== 'checking')).toEqual([])
    }),
  )
})
