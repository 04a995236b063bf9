import { expect, test } from 'vitest'
import { createTurns } from '../../scripts/test/turns.ts'

const shown = () => {
  const lines: string[] = []
  return { lines, turns: createTurns((text) => lines.push(text)) }
}

test('who is in front is shown at once, who is behind when the front has ended', () => {
  const { lines, turns } = shown()
  const first = turns.take()
  const second = turns.take()

  second.write('b1 ')
  first.write('a1 ')
  expect(lines).toEqual(['a1 '])
  second.write('b2 ')
  first.end()
  expect(lines).toEqual(['a1 ', 'b1 b2 '])
  second.write('b3')

  expect(lines.join('')).toBe('a1 b1 b2 b3')
})

test('who ended while another was in front is shown whole, and those behind follow', () => {
  const { lines, turns } = shown()
  const [first, second, third] = [turns.take(), turns.take(), turns.take()]

  second.write('b ')
  second.end()
  third.write('c ')
  first.write('a ')
  first.end()

  expect(lines.join('')).toBe('a b c ')
})
