import { styleText } from 'node:util'
import type { BerthEvent, Events } from '../domain/ports/events.ts'
import { canRedraw, startPanel } from './panel.ts'
import { createRolloutProgress, duration, type RolloutProgress } from './rollout-progress.ts'
import { rolloutPanel } from './rollout-panel.ts'
import { visible } from './visible.ts'

/** A line is enough once in this time where nobody looks. */
const LINE_EVERY_MS = 10_000

export interface RolloutView {
  readonly events: Events
  /** Ends it; the last picture stays for whoever was interrupted. */
  readonly stop: (options?: { readonly keep: boolean }) => void
}

interface ViewOptions {
  readonly limitPerSecond: () => number
  readonly nowMs: () => number
}

const write = (line: string): void => void process.stderr.write(`${line}\n`)

// styleText looks at the stream and at NO_COLOR itself.
const paint: Parameters<typeof rolloutPanel>[1]['paint'] = (style, text) =>
  styleText(style, text, { stream: process.stderr })

/** Shows what a rollout tells: a picture that changes in place for a person, plain lines elsewhere. All of it on stderr. */
export const startRolloutView = (options: ViewOptions, env: NodeJS.ProcessEnv): RolloutView => {
  if (!canRedraw(env)) return { events: createRolloutLog({ ...options, write }), stop: () => undefined }
  const { accept, now } = createRolloutProgress(options.nowMs)
  const panel = startPanel((columns) =>
    rolloutPanel(now(), { columns, limitPerSecond: options.limitPerSecond(), paint }),
  )
  return { events: { emit: accept }, stop: panel.stop }
}

/** Plain lines for a log: how far it is now and then, each failure, and what it does next. */
export const createRolloutLog = (options: ViewOptions & { readonly write: (line: string) => void }): Events => {
  const { accept, now } = createRolloutProgress(options.nowMs)
  let saidMs = -Infinity
  const say = (text: string): void => options.write(visible(text))
  say('reading the fleet …')
  return {
    emit: (event: BerthEvent) => {
      accept(event)
      const { code, detail = {}, berthId } = event
      if (quiet.has(code)) return
      if (code === 'rollout.update_failed') return say(`${berthId}: ${String(detail['reason'])}`)
      if (code !== 'rollout.updated') return say(sentence(code, detail))
      if (options.nowMs() - saidMs < LINE_EVERY_MS) return
      saidMs = options.nowMs()
      say(summaryLine(now(), options.limitPerSecond()))
    },
  }
}

/** Too much for a log; the end of the rollout tells the images. */
const quiet = new Set(['rollout.listed', 'rollout.image'])

const sentence = (code: string, detail: NonNullable<BerthEvent['detail']>): string => {
  const rest = Object.entries(detail).flatMap(([name, value]) => (name === 'event' ? [] : [`${name} ${value}`]))
  return `${code.replace('rollout.', '').replaceAll('_', ' ')}${rest.length === 0 ? '' : `: ${rest.join(', ')}`}`
}

const summaryLine = (progress: RolloutProgress, limitPerSecond: number): string => {
  const wave = progress.waves.findLast(({ begun }) => begun)?.name ?? progress.phase
  const inWaves = progress.waves.reduce((sum, { berths }) => sum + berths, 0)
  const of = progress.waves.length > 0 ? inWaves : progress.updated + (progress.left ?? 0)
  const left = progress.secondsLeft
  const rest = left === null ? '' : `, ${duration(left)} left`
  return `${wave}: ${progress.updated} of ${of} updated, ${progress.perSecond.toFixed(1)}/s of ${limitPerSecond}/s${rest}, ${progress.failed} failed`
}
