import { duration, type RolloutProgress, type WaveProgress } from './rollout-progress.ts'
import { widthOf } from './table.ts'
import { visible } from './visible.ts'

type Paint = (style: 'bold' | 'dim' | 'red' | 'green', text: string) => string

interface PanelRoom {
  readonly columns: number
  readonly limitPerSecond: number
  readonly paint: Paint
}

const BAR_MOST = 30
/** Below this no bar is drawn: the numbers need the room. */
const BAR_LEAST = 8
const LABEL = 10
const IMAGES_SHOWN = 4

/** What a person sees of a rollout: a few lines, each no wider than the terminal, so that they can be drawn anew in place. */
export const rolloutPanel = (progress: RolloutProgress, room: PanelRoom): readonly string[] => {
  const { paint, columns } = room
  const left = progress.secondsLeft
  const fitting = (label: string, text: string): string =>
    paint('dim', label.padEnd(LABEL)) + cut(text, columns - LABEL)
  const rate = `${progress.perSecond.toFixed(1)}/s of ${room.limitPerSecond}/s`
  const title = `rollout${progress.version === null ? '' : ` of version ${progress.version}`}: ${progress.phase}`
  return [
    paint('bold', cut(title, columns)),
    ...progress.waves.map((wave) => fitting(wave.name, '').concat(waveLine(wave, room))),
    ...imagesOf(progress).map(([image, berths], index) => fitting(index === 0 ? 'fleet' : '', `${berths} on ${image}`)),
    ...(progress.left === null ? [] : [fitting('rate', left === null ? rate : `${rate}, ${duration(left)} left`)]),
    ...(progress.failed === 0 ? [] : [fitting('failed', paint('red', String(progress.failed)))]),
    ...progress.failures.map((failure) => fitting('', visible(failure))),
  ]
}

const waveLine = ({ berths, done, begun }: WaveProgress, { columns, paint }: PanelRoom): string => {
  const words = berths === 0 ? 'nobody' : `${done} of ${berths}`
  const bar = Math.min(BAR_MOST, columns - LABEL - words.length - 1)
  if (bar < BAR_LEAST || berths === 0) return cut(words, columns - LABEL)
  const full = Math.floor((bar * done) / berths)
  const drawn = '█'.repeat(full) + '░'.repeat(bar - full)
  return `${begun ? paint('green', drawn) : paint('dim', drawn)} ${words}`
}

/** The target first, then what most have; a digest by its beginning. */
const imagesOf = ({ images, target }: RolloutProgress): readonly (readonly [string, number])[] => {
  const known = [...images]
    .filter(([image, berths]) => berths > 0 || image === target)
    .toSorted((one, other) => Number(other[0] === target) - Number(one[0] === target) || other[1] - one[1])
  const shown = known
    .slice(0, IMAGES_SHOWN)
    .map(([image, berths]) => [shortened(image, image === target), berths] as const)
  const rest = known.slice(IMAGES_SHOWN).reduce((sum, [, berths]) => sum + berths, 0)
  return rest === 0 ? shown : [...shown, ['other images', rest]]
}

const shortened = (image: string, isTarget: boolean): string => {
  const digest = /sha256:[0-9a-f]{12}/.exec(image)?.[0]
  return `${digest === undefined ? visible(image) : `${digest}…`}${isTarget ? ' (the target)' : ''}`
}

/** By columns of the terminal and not by letters. */
const cut = (text: string, columns: number): string => {
  if (widthOf(text) <= columns) return text
  let end = text.length
  while (end > 0 && widthOf(text.slice(0, end)) > columns - 1) end -= 1
  return columns < 1 ? '' : `${text.slice(0, end)}…`
}
