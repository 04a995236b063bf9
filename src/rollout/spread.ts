import type { BerthId } from '../domain/ids.ts'

/** From the beginning to the end, so that it holds active and idle ones. */
export const spread = (berthIds: readonly BerthId[], count: number): readonly BerthId[] => {
  const step = Math.max(1, berthIds.length / count)
  return Array.from(
    { length: Math.min(count, berthIds.length) },
    (_, index) => berthIds[Math.floor(index * step)] as BerthId,
  )
}
