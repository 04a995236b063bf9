import type { BerthEvent, Events } from '../domain/ports/events.ts'
import type { Progress } from './progress.ts'
import { visible } from './visible.ts'

/** A line is enough once in this time where nobody looks. */
const LINE_EVERY_MS = 10_000
const RATE_OVER_MS = 15_000

export interface RolloutViewOptions {
  readonly progress: Progress
  /** True where a person looks: every update is shown. */
  readonly live: boolean
  readonly limitPerSecond: () => number
  readonly nowMs: () => number
}

/** Shows what a rollout tells: one line that changes for a person, plain lines now and then elsewhere. */
export const createRolloutView = (options: RolloutViewOptions): Events => {
  const { progress, live, nowMs } = options
  const updates: number[] = []
  let wave = 'reading the fleet'
  let of = 0
  let updated = 0
  let failed = 0
  let saidMs = -Infinity

  const rate = (): number => {
    while ((updates[0] ?? Infinity) < nowMs() - RATE_OVER_MS) updates.shift()
    const overMs = Math.max(1000, nowMs() - (updates[0] ?? nowMs()))
    return (updates.length * 1000) / overMs
  }
  const line = (): string => {
    const perSecond = rate()
    const seconds = perSecond === 0 ? null : Math.max(0, of - updated) / perSecond
    const left = seconds === null || of === 0 ? '' : `, ${duration(seconds)} left`
    return `${wave}: ${updated} of ${of} updated, ${perSecond.toFixed(1)}/s of ${options.limitPerSecond()}/s${left}, ${failed} failed`
  }
  const say = (text: string): void => progress.update(visible(text))
  const now = (): void => {
    if (!live && nowMs() - saidMs < LINE_EVERY_MS) return
    saidMs = nowMs()
    say(line())
  }

  return {
    emit: ({ code, detail = {}, berthId }: BerthEvent) => {
      if (code === 'rollout.waves') of = Number(detail['canaries']) + Number(detail['ring']) + Number(detail['rest'])
      if (code === 'rollout.wave') wave = String(detail['wave'])
      if (code === 'rollout.updated') {
        updates.push(nowMs())
        updated += 1
        return now()
      }
      if (code === 'rollout.update_failed') {
        failed += 1
        return say(`${berthId}: ${String(detail['reason'])}`)
      }
      const rest = Object.entries(detail).flatMap(([name, value]) => (name === 'event' ? [] : [`${name} ${value}`]))
      say(`${code.replace('rollout.', '').replaceAll('_', ' ')}${rest.length === 0 ? '' : `: ${rest.join(', ')}`}`)
    },
  }
}

const duration = (seconds: number): string =>
  seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`
