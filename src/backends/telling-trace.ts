import type { OwnerTrace } from '../domain/ports/berth-owners.ts'

const rank = { owned: 2, illegible: 1, unclaimed: 0 } as const

/** Of traces from several places the one that says most; files in any of them count. */
export const telling = (traces: readonly OwnerTrace[]): OwnerTrace => {
  const [best = { kind: 'unclaimed', holdsFiles: false }] = traces.toSorted(
    (one, other) => rank[other.kind] - rank[one.kind],
  )
  return { ...best, holdsFiles: traces.some(({ holdsFiles }) => holdsFiles) }
}
