import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { type BerthEventKind, nextBerthState } from '../../src/domain/berth-transitions.ts'
import { type BerthState, berthStateSchema } from '../../src/domain/tenant.ts'

const kinds: readonly BerthEventKind[] = ['self_test_passed', 'gave_up', 'lost', 'tried_again', 'disowned', 'destroyed']
const walk = (events: readonly BerthEventKind[]): readonly BerthState[] => {
  const states: BerthState[] = ['provisioning']
  for (const event of events)
    states.push(nextBerthState(states.at(-1) ?? 'provisioning', event) ?? states.at(-1) ?? 'provisioning')
  return states
}
const someEvents = fc.array(fc.constantFrom(...kinds), { maxLength: 30 })

test('a berth on its way out never comes back', () => {
  fc.assert(
    fc.property(someEvents, (events) => {
      const states = walk(events)
      const leaving = states.findIndex((state) => state === 'deprovisioning')
      const after = leaving < 0 ? [] : states.slice(leaving)
      expect(after.filter((state) => state !== 'deprovisioning' && state !== 'deleted')).toEqual([])
    }),
  )
})

test('a berth is only ready after a self-test that passed', () => {
  fc.assert(
    fc.property(someEvents, (events) => {
      const states = walk(events)
      for (const [index, state] of states.slice(1).entries()) {
        const becameReady = state === 'ready' && states[index] !== 'ready'
        expect(becameReady ? events[index] : 'self_test_passed').toBe('self_test_passed')
      }
    }),
  )
})

test('every berth that is not deleted can be brought to its deletion', () => {
  for (const state of berthStateSchema.options) {
    const leaving = state === 'deprovisioning' ? state : nextBerthState(state, 'disowned')
    expect(leaving === null ? state : nextBerthState(leaving, 'destroyed')).toBe('deleted')
  }
})
