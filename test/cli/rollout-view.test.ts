import { expect, test } from 'vitest'
import { rolloutPanel } from '../../src/cli/rollout-panel.ts'
import { createRolloutProgress } from '../../src/cli/rollout-progress.ts'
import { createRolloutLog } from '../../src/cli/rollout-view.ts'
import { widthOf } from '../../src/cli/table.ts'
import type { BerthEvent } from '../../src/domain/ports/events.ts'

const NEW = `repository@sha256:${'b'.repeat(64)}`
const OLD = `repository@sha256:${'a'.repeat(64)}`

/** A rollout of a hundred berths in its last wave. */
const play = (accept: (event: BerthEvent) => void) => {
  const time = { ms: 0 }
  const emit = (code: string, detail = {}, berthId?: string) =>
    accept({ code, level: 'info', detail: { version: 3, ...detail }, ...(berthId && { berthId: berthId as never }) })
  emit('rollout.listed', { target: NEW })
  emit('rollout.image', { image: OLD, berths: 97 })
  emit('rollout.image', { image: NEW, berths: 3 })
  emit('rollout.waves', { canaries: 0, ring: 5, rest: 95 })
  emit('rollout.updating')
  emit('rollout.wave', { wave: 'rest', berths: 95, differing: 92 })
  const update = () => {
    time.ms += 500
    emit('rollout.updated', { from: OLD })
  }
  return { time, emit, update }
}

const openLog = () => {
  const lines: string[] = []
  let played: ReturnType<typeof play> | null = null
  const log = createRolloutLog({
    write: (line) => void lines.push(line),
    limitPerSecond: () => 14.9,
    nowMs: () => played?.time.ms ?? 0,
  })
  played = play((event) => log.emit(event))
  return { lines, ...played }
}

const openPanel = () => {
  let played: ReturnType<typeof play> | null = null
  const progress = createRolloutProgress(() => played?.time.ms ?? 0)
  played = play(progress.accept)
  const show = (columns: number) =>
    rolloutPanel(progress.now(), { columns, limitPerSecond: 14.9, paint: (_, text) => text })
  return { show, ...played }
}

test('a log gets progress, rate against the limit, time that is left and failures, a line in ten seconds', () => {
  const { lines, emit, update } = openLog()
  emit('rollout.update_failed', { reason: 'InvalidImage\u001b[2J' }, 'b1')
  const before = lines.length
  for (let index = 0; index < 60; index += 1) update()

  expect(lines.length - before).toBe(3)
  expect(lines.at(-1)).toMatch(/^rest: 4\d of 100 updated, 2\.\d\/s of 14\.9\/s, \d+ s left, 1 failed$/)
  expect(lines).toContainEqual(expect.stringContaining('b1: InvalidImage'))
  expect(lines.join('')).not.toContain('\u001b')
})

test('a person sees the waves, the fleet by image, the rate against the limit, what is left, and failures', () => {
  const { show, emit, update } = openPanel()
  for (let index = 0; index < 11; index += 1) update()
  emit('rollout.update_failed', { reason: 'InvalidImage\u001b[2J' }, 'b1')

  expect(show(70)).toEqual([
    'rollout of version 3: updating',
    'canaries  nobody',
    'ring      ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ 0 of 5',
    'rest      ████░░░░░░░░░░░░░░░░░░░░░░░░░░ 14 of 95',
    'fleet     14 on sha256:bbbbbbbbbbbb… (the target)',
    '          86 on sha256:aaaaaaaaaaaa…',
    'rate      2.2/s of 14.9/s, 40 s left',
    'failed    1',
    String.raw`          b1: InvalidImage\x1b[2J`,
  ])
})

/** The waves are done; the last listing shows that all went there, and the way back begins. */
const turnBack = (emit: (code: string, detail?: object) => void): void => {
  emit('rollout.rolling_back')
  emit('rollout.listed', { target: OLD })
  emit('rollout.image', { image: NEW, berths: 90 })
  emit('rollout.image', { image: OLD, berths: 10 })
}

const broughtBack = { from: NEW }

test('on the way back a log counts who is still elsewhere', () => {
  const { lines, time, emit, update } = openLog()
  update()
  time.ms += 20_000
  turnBack(emit)
  emit('rollout.updated', broughtBack)

  expect(lines.at(-1)).toMatch(/^going back: 1 of 90 updated, 1\.0\/s of 14\.9\/s, 89 s left, 0 failed$/)
})

test('on the way back a person sees the fleet, the rate and what is left', () => {
  const { show, emit } = openPanel()
  turnBack(emit)
  emit('rollout.updated', broughtBack)

  expect(show(70)).toEqual([
    'rollout of version 3: going back',
    'fleet     11 on sha256:aaaaaaaaaaaa… (the target)',
    '          89 on sha256:bbbbbbbbbbbb…',
    'rate      1.0/s of 14.9/s, 89 s left',
  ])
})

test.each([12, 20, 39, 80, 200])('no line is wider than a terminal of %i columns', (columns) => {
  const { show, emit } = openPanel()
  emit('rollout.update_failed', { reason: '失敗'.repeat(100) }, 'b1')

  for (const line of show(columns)) expect(widthOf(line), line).toBeLessThanOrEqual(columns)
})

test('while the last listing is waited for, and on the way back, it says so', () => {
  const { show, emit } = openPanel()
  emit('rollout.sweeping')
  const sweeping = show(120)[0]
  emit('rollout.rolling_back')

  expect(sweeping).toContain('the last listing')
  expect(show(120)[0]).toContain('going back')
})
