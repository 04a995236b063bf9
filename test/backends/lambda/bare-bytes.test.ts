import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { countBareBytes } from '../../../src/backends/lambda/bare-bytes.ts'

test('what is outside of texts is counted, and each text as one, whatever they hold', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const json = JSON.stringify(value)
      const bare = json.replaceAll(/"(?:[^"\\]|\\.)*"/g, '.')

      expect(countBareBytes(Buffer.from(json), Infinity)).toBe(Buffer.byteLength(bare))
    }),
  )
})

test.each(['"', '"a', '"\\"', '"\\'])('a text that never ends (%j) is one text', (json) => {
  expect(countBareBytes(Buffer.from(`[${json}`), 10)).toBe(2)
})

test('it stops where there are more than anyone wants to know', () => {
  expect(countBareBytes(Buffer.from(`[${'"",'.repeat(1000)}1]`), 10)).toBeLessThan(14)
  expect(countBareBytes(Buffer.from('"'.repeat(1000)), 10)).toBe(11)
})
