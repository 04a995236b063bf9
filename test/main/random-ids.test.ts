import { expect, test } from 'vitest'
import { berthIdSchema, keyIdSchema, runIdSchema, tenantIdSchema } from '../../src/domain/ids.ts'
import { createRandomIds } from '../../src/main/random-ids.ts'

const idsAt = (ms: number) => createRandomIds({ now: () => new Date(ms) })

test('every id has the shape that the domain asks for', () => {
  const ids = idsAt(Date.parse('2026-11-22'))

  expect(tenantIdSchema.safeParse(ids.tenantId()).success).toBe(true)
  expect(berthIdSchema.safeParse(ids.berthId()).success).toBe(true)
  expect(runIdSchema.safeParse(ids.runId()).success).toBe(true)
  expect(keyIdSchema.safeParse(ids.keyId()).success).toBe(true)
  expect(ids.secret()).toMatch(/^[a-z2-7]{32}$/)
})

test('ids of runs sort by the time of the run', () => {
  const times = [0, 31, 32, 1000, 1_764_000_000_000, 1_764_000_000_001, 2_000_000_000_000, 32 ** 9 - 1]
  const runs = times.map((ms) => idsAt(ms).runId())

  expect(runs.toSorted()).toEqual(runs)
})

test('ids do not repeat', () => {
  const ids = idsAt(0)

  expect(new Set(Array.from({ length: 10_000 }, () => ids.runId())).size).toBe(10_000)
})

test('secrets use every character about as often as any other', () => {
  const ids = idsAt(0)
  const counts = new Map<string, number>()
  for (let n = 0; n < 2000; n += 1)
    for (const character of ids.secret()) counts.set(character, (counts.get(character) ?? 0) + 1)

  // 2,000 of each are expected; 300 are more than six standard deviations.
  expect(counts.size).toBe(32)
  for (const count of counts.values()) expect(Math.abs(count - 2000)).toBeLessThan(300)
})
