import type { BerthEvent } from '../domain/ports/events.ts'
import type { Pin, RunnerImage, Wanted } from '../domain/wanted-image.ts'
import { failureCountOf } from './update-failures.ts'
import { isSame } from './wanted-changes.ts'

/**
 * What somebody did to a cell's rollouts between two looks at what is wanted, for the audit log: a rollout begins anywhere, and ends with the
 * process that made it, but all that lasts of it stands there.
 */
export const wantedEvents = (before: Wanted | null, after: Wanted | null, cell: string): readonly BerthEvent[] => {
  if (after === null) return []
  const made = [
    ...imageChange(before, after),
    ...holdChange(before, after),
    ...failureChange(before, after),
    ...fenceChange(before, after),
    ...pinChanges(before?.pins ?? [], after.pins ?? []),
  ]
  const by = after.by ?? 'unknown'
  return made.map(({ code, level = 'info', berthId, detail }) => ({
    code,
    level,
    berthId,
    detail: { cell, by, ...detail },
  }))
}

type Change = Pick<BerthEvent, 'code' | 'berthId' | 'detail'> & Partial<Pick<BerthEvent, 'level'>>

const imageChange = (before: Wanted | null, after: Wanted): readonly Change[] => {
  const begun = !isSameOrNone(after.candidate, before?.candidate)
  if (after.candidate !== undefined && begun) return [change('fleet.rollout_started', after.candidate)]
  const kept = isSameOrNone(after, before ?? undefined)
  if (kept && !begun) return []
  const offered = isSameOrNone(after, before?.candidate)
  if (kept || (!offered && isSameOrNone(after, before?.previous))) return [change('fleet.rolled_back', after)]
  return [change('fleet.image_offered', after)]
}

const isSameOrNone = (one: RunnerImage | undefined, other: RunnerImage | undefined): boolean =>
  one === undefined || other === undefined ? one === other : isSame(one, other)

const change = (code: string, { image, version }: { image: string; version: number }): Change => ({
  code,
  detail: { image, version },
})

const holdChange = (before: Wanted | null, { held }: Wanted): readonly Change[] => {
  if (held === before?.held) return []
  if (held === undefined) return [{ code: 'fleet.resumed' }]
  return [{ code: 'fleet.held', level: 'warn', detail: { reason: held } }]
}

/** Told again when others fail, and when their number changes. */
const failureChange = (before: Wanted | null, after: Wanted): readonly Change[] => {
  const [failed, known] = [failureCountOf(after), failureCountOf(before)]
  if (failed === 0 || (failed === known && before?.failed?.image === after.failed?.image)) return []
  const reason = after.failed?.reasons[0]?.reason ?? ''
  return [{ code: 'fleet.updates_failed', level: 'warn', detail: { failed, reason } }]
}

const fenceChange = (before: Wanted | null, { fence }: Wanted): readonly Change[] =>
  fence === (before?.fence ?? 0) ? [] : [{ code: 'fleet.fenced', detail: { fence, before: before?.fence ?? 0 } }]

const keyOf = (pin: Pin): string => JSON.stringify(pin)

const pinChanges = (before: readonly Pin[], after: readonly Pin[]): readonly Change[] => {
  const had = new Set(before.map(keyOf))
  const pinned = new Set(after.map(({ berthId }) => berthId))
  return [
    ...after
      .filter((pin) => !had.has(keyOf(pin)))
      .map(({ berthId, reason, until }) => ({ code: 'fleet.pinned', berthId, detail: { reason, until } })),
    ...before.filter(({ berthId }) => !pinned.has(berthId)).map(({ berthId }) => ({ code: 'fleet.unpinned', berthId })),
  ]
}
