/** One way of doing the thing that is measured. */
export interface Variant {
  readonly name: string
  /** Does it once, from start to result. Throws when the result is not the right one. */
  once(): Promise<void>
  /** Done before each measurement and not measured. */
  before?(): Promise<void>
}

export interface Summary {
  readonly n: number
  readonly min: number
  readonly p50: number
  readonly p99: number
}

export interface CompareOptions {
  readonly rounds: number
  /** No new round begins after so long, once there are `leastRounds`. */
  readonly budgetMs: number
  readonly leastRounds?: number
  /** Rounds before those that count: a server answers its first hundreds of requests with code that is not compiled yet. @default 1 */
  readonly warmUpRounds?: number
  readonly random?: () => number
  readonly now?: () => number
}

/** Nearest rank: always a value that was really measured. `share` from 0 to 1. */
export const percentile = (samples: readonly number[], share: number): number => {
  if (samples.length === 0) throw new RangeError('A percentile needs at least one sample')
  const sorted = samples.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}

export const summarize = (samples: readonly number[]): Summary => ({
  n: samples.length,
  min: Math.min(...samples),
  p50: percentile(samples, 0.5),
  p99: percentile(samples, 0.99),
})

export const shuffled = <T>(items: readonly T[], random: () => number): T[] =>
  items
    .map((item) => ({ item, key: random() }))
    .toSorted((a, b) => a.key - b.key)
    .map(({ item }) => item)

/**
 * Measures the variants in turn, in a new random order each round, so that what else the machine does at the time falls on
 * all of them alike. The rounds that warm up do not count. Times are in milliseconds.
 */
export const compareInTurn = async (
  variants: readonly Variant[],
  options: CompareOptions,
): Promise<Readonly<Record<string, Summary>>> => {
  const { random = Math.random, now = () => performance.now(), leastRounds = 5, warmUpRounds = 1 } = options
  for (let round = 0; round < warmUpRounds; round += 1) for (const variant of variants) await variant.once()
  const samples = new Map<string, number[]>(variants.map((variant) => [variant.name, []]))
  const endAt = now() + options.budgetMs
  for (let round = 0; round < options.rounds && (round < leastRounds || now() < endAt); round += 1) {
    for (const variant of shuffled(variants, random)) {
      await variant.before?.()
      const startedAt = now()
      await variant.once()
      samples.get(variant.name)?.push(now() - startedAt)
    }
  }
  return Object.fromEntries([...samples].map(([name, times]) => [name, summarize(times)]))
}
