import { describe, expect, test } from 'vitest'
import { compareInTurn, percentile, shuffled } from '../../../scripts/bench/compare.ts'
import { meetsGoal } from '../../../scripts/bench/figures.ts'

/** Time that passes only when a variant says so. */
const fakeTime = () => {
  let ms = 0
  return { now: () => ms, pass: (by: number) => void (ms += by) }
}

const turns = (values: readonly number[]) => {
  let next = 0
  return () => values[next++ % values.length] ?? 0
}

describe('percentile', () => {
  test.each([
    [[5], 0.5, 5],
    [[1, 2, 3, 4], 0.5, 2],
    [[3, 1, 2], 0.5, 2],
    [[3, 1, 2], 0.99, 3],
    [[3, 1, 2], 0, 1],
  ])('of %j at %d is %d, a value that was measured', (samples, share, expected) => {
    expect(percentile(samples, share)).toBe(expected)
  })

  test('needs a sample', () => {
    expect(() => percentile([], 0.5)).toThrow(RangeError)
  })
})

describe('variants in turn', () => {
  test('each is measured once a round, after a warm-up that does not count', async () => {
    const time = fakeTime()
    let calls = 0
    const variant = {
      name: 'a',
      once: async () => {
        calls += 1
        time.pass(calls === 1 ? 1000 : 10)
      },
    }

    const { a } = await compareInTurn([variant], { rounds: 4, budgetMs: 60_000, now: time.now })

    expect(calls).toBe(5)
    expect(a).toEqual({ n: 4, min: 10, p50: 10, p99: 10 })
  })

  test('the order is new in each round and is that of the random numbers', async () => {
    const order: string[] = []
    const variants = ['a', 'b'].map((name) => ({ name, once: async () => void order.push(name) }))

    await compareInTurn(variants, { rounds: 2, budgetMs: 60_000, random: turns([0.9, 0.1, 0.1, 0.9]) })

    expect(order.slice(2)).toEqual(['b', 'a', 'a', 'b'])
  })

  test('the budget ends it, but not before the least number of rounds', async () => {
    const time = fakeTime()
    const slow = { name: 'slow', once: async () => time.pass(100) }
    const options = { rounds: 100, budgetMs: 250, now: time.now }

    expect((await compareInTurn([slow], { ...options, leastRounds: 1 }))['slow']?.n).toBe(3)
    expect((await compareInTurn([slow], { ...options, leastRounds: 7 }))['slow']?.n).toBe(7)
  })

  test('a wrong result ends the comparison', async () => {
    const broken = { name: 'broken', once: () => Promise.reject(new Error('wrong answer')) }

    await expect(compareInTurn([broken], { rounds: 1, budgetMs: 1 })).rejects.toThrow('wrong answer')
  })

  test('shuffling loses nothing', () => {
    expect(shuffled([1, 2, 3, 4, 5], Math.random).toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5])
  })
})

describe('goals', () => {
  test('exactly at the goal is met, beyond it is missed, and no goal is neither', () => {
    expect(meetsGoal('local.python.pandas.vs_plain_python', 0.1)).toBe(true)
    expect(meetsGoal('local.python.pandas.vs_plain_python', 0.101)).toBe(false)
    expect(meetsGoal('api.throughput.vs_port', 0.84)).toBe(false)
    expect(meetsGoal('local.throughput.n', 1)).toBeNull()
  })
})
