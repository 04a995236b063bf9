import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { backoffMs, fractionOf } from '../../src/domain/backoff.ts'
import { ids } from '../support/provisioning-site.ts'

test('a wait is never longer than its bound, which doubles up to the maximum', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1000 }), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, fraction) => {
      const bound = Math.min(60_000, 500 * 2 ** (attempt - 1))
      const ms = backoffMs({ attempt, baseMs: 500, maxMs: 60_000, fraction })
      expect(ms).toBeGreaterThanOrEqual(0)
      expect(ms).toBeLessThanOrEqual(bound)
    }),
  )
})

test('secrets give fractions from the whole range', () => {
  const fractions = Array.from({ length: 1000 }, () => fractionOf(ids.secret()))

  expect(Math.min(...fractions)).toBeGreaterThanOrEqual(0)
  expect(Math.max(...fractions)).toBeLessThan(1)
  expect(Math.max(...fractions) - Math.min(...fractions)).toBeGreaterThan(0.9)
})
