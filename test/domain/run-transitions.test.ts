import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { isTerminal, type RunStatus, runStatusSchema, terminalStatuses } from '../../src/domain/run.ts'
import { nextRunStatus, type RunStep } from '../../src/domain/run-transitions.ts'

const step: fc.Arbitrary<RunStep> = fc.oneof(
  fc.constant({ kind: 'started' } as const),
  fc.constant({ kind: 'handed_back' } as const),
  fc.constantFrom(...terminalStatuses).map((status) => ({ kind: 'ended', status }) as const),
)

test('a run ends once, whatever comes after', () => {
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      let status: RunStatus = 'queued'
      let ends = 0
      for (const one of steps) {
        const next = nextRunStatus(status, one)
        if (next !== null && isTerminal(next)) ends += 1
        status = next ?? status
      }
      expect(ends).toBeLessThanOrEqual(1)
    }),
  )
})

test('a run that has not ended can always be ended, begun and handed back', () => {
  for (const status of runStatusSchema.options.filter((one) => !isTerminal(one))) {
    expect(nextRunStatus(status, { kind: 'started' })).toBe('running')
    expect(nextRunStatus(status, { kind: 'handed_back' })).toBe('queued')
    expect(nextRunStatus(status, { kind: 'ended', status: 'canceled' })).toBe('canceled')
  }
})
