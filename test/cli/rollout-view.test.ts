import { expect, test } from 'vitest'
import { createRolloutView } from '../../src/cli/rollout-view.ts'

const openView = (live: boolean) => {
  const lines: string[] = []
  const time = { ms: 0 }
  const view = createRolloutView({
    progress: { update: (line) => void lines.push(line), stop: () => undefined },
    live,
    limitPerSecond: () => 14.5,
    nowMs: () => time.ms,
  })
  const emit = (code: string, detail = {}, berthId?: string) =>
    view.emit({ code, level: 'info', detail, ...(berthId === undefined ? {} : { berthId: berthId as never }) })
  emit('rollout.waves', { canaries: 0, ring: 5, rest: 95 })
  emit('rollout.wave', { wave: 'rest', differing: 95 })
  const update = () => {
    time.ms += 500
    emit('rollout.updated')
  }
  return { lines, emit, update }
}

test('a person sees wave, progress, rate against the limit, time that is left, and failures', () => {
  const { lines, emit, update } = openView(true)
  emit('rollout.update_failed', { reason: 'InvalidImage\u001b[2J' }, 'b1')
  for (let index = 0; index < 11; index += 1) update()

  expect(lines.at(-1)).toBe('rest: 11 of 100 updated, 2.2/s of 14.5/s, 41 s left, 1 failed')
  expect(lines.join('')).not.toContain('\u001b')
  expect(lines).toContainEqual(expect.stringContaining('b1: InvalidImage'))
})

test('a log gets one such line in ten seconds', () => {
  const { lines, update } = openView(false)
  const before = lines.length
  for (let index = 0; index < 60; index += 1) update()

  expect(lines.length - before).toBe(3)
})
