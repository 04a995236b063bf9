export interface Throughput {
  readonly perSecond: number
  readonly n: number
}

/** A closed loop: `clients` of them, each starts its next one as soon as it has the answer to the last. */
export const measureThroughput = async (
  clients: number,
  durationMs: number,
  once: (client: number) => Promise<unknown>,
): Promise<Throughput> => {
  const startedAt = performance.now()
  let n = 0
  const client = async (index: number) => {
    while (performance.now() - startedAt < durationMs) {
      await once(index)
      n += 1
    }
  }
  await Promise.all(Array.from({ length: clients }, (_, index) => client(index)))
  return { perSecond: Math.round((n / (performance.now() - startedAt)) * 10_000) / 10, n }
}
