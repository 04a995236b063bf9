import { describe, expect, test } from 'vitest'
import { berthIdSchema, keyIdSchema, runIdSchema, tenantIdSchema } from '../../src/domain/ids.ts'
import type { Ids } from '../../src/domain/ports/ids.ts'

const MANY = 10_000

/** What every Ids keeps. `make` gives one whose runs are of that time. */
export const describeIds = (name: string, make: (time: Date) => Ids): void => {
  describe(`Ids: ${name}`, () => {
    test('every id has the shape that the domain asks for', () => {
      const ids = make(new Date('2026-11-22'))

      expect(tenantIdSchema.safeParse(ids.tenantId()).success).toBe(true)
      expect(berthIdSchema.safeParse(ids.berthId()).success).toBe(true)
      expect(runIdSchema.safeParse(ids.runId()).success).toBe(true)
      expect(keyIdSchema.safeParse(ids.keyId()).success).toBe(true)
      expect(ids.secret()).toMatch(/^[a-z2-7]{32}$/)
    })

    test.each(['tenantId', 'berthId', 'runId', 'keyId', 'secret'] as const)('%s does not repeat', (kind) => {
      const ids = make(new Date(0))

      expect(new Set(Array.from({ length: MANY }, () => ids[kind]())).size).toBe(MANY)
    })

    test('every character of a secret is as likely as another', () => {
      const ids = make(new Date(0))
      const counts = Map.groupBy(Array.from({ length: MANY }, () => ids.secret()).join(''), (character) => character)

      const shares = [...counts.values()].map((list) => list.length / MANY)

      // 10,000 of each are expected; six standard deviations are 590.
      expect(shares).toHaveLength(32)
      expect(Math.min(...shares)).toBeGreaterThan(0.94)
      expect(Math.max(...shares)).toBeLessThan(1.06)
    })

    test('ids of runs sort by the time of the run', () => {
      const times = [0, 31, 32, 1000, 1_764_000_000_000, 1_764_000_000_001, 2_000_000_000_000, 32 ** 9 - 1]
      const runs = times.map((ms) => make(new Date(ms)).runId())

      expect(runs.toSorted()).toEqual(runs)
    })
  })
}
