import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { renderErrorsDoc } from '../../scripts/docs/errors-doc.ts'
import { errorTable } from '../../src/domain/error-table.ts'

const doc = readFileSync(resolve(import.meta.dirname, '../../docs/errors.md'), 'utf8')

test('every error code is documented, and every documented code exists', () => {
  const documented = [...doc.matchAll(/^### `([a-z_]+)`$/gm)].map(([, code]) => code)

  expect(new Set(documented)).toEqual(new Set(Object.keys(errorTable)))
})

test('docs/errors.md says what the table says (mend it with: npm run docs)', () => {
  expect(doc).toBe(renderErrorsDoc())
})
