import { expect, test } from 'vitest'
import { renderTable } from '../../src/cli/table.ts'
import { visibleOutput } from '../../src/cli/visible.ts'

test('columns are aligned, numbers to the right, wide characters counted twice', () => {
  const lines = renderTable(
    [{ title: 'NAME' }, { title: 'BYTES', align: 'right' }],
    [
      ['é.csv', '7'],
      ['表.csv', '12345'],
    ],
  )

  expect(lines).toEqual(['NAME    BYTES', 'é.csv       7', '表.csv  12345'])
})

test('output keeps colours and loses what talks to the terminal', () => {
  const hostile = 'a\u001b[31mred\u001b[0m\u001b]52;c;ZXZpbA==\u0007\u001b[2J\tb\n'

  expect(visibleOutput(hostile)).toBe('a\u001b[31mred\u001b[0m\\x1b]52;c;ZXZpbA==\\x07\\x1b[2J\tb\n')
})
