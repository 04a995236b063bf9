import { readdirSync, readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const src = join(import.meta.dirname, '../../src')

/** What is left of a source when the types are gone, as a browser or a bundler sees it. */
const imports = (source: string): string[] =>
  [...stripTypeScriptTypes(source).matchAll(/^(?:import\s+|(?:import|export)\s[^'\n]*\sfrom\s+)'([^']+)'/gm)].map(
    ([, target = '']) => target,
  )

const allowed = new Set(['../domain/errors.ts', '../domain/error-table.ts'])

test('the client loads nothing but itself and the table of errors, so it runs in browsers', () => {
  const files = readdirSync(join(src, 'client')).filter((name) => name.endsWith('.ts'))

  const foreign = files.flatMap((name) =>
    imports(readFileSync(join(src, 'client', name), 'utf8'))
      .filter((target) => !target.startsWith('./') && !allowed.has(target))
      .map((target) => `${name} loads ${target}`),
  )

  expect(files.length).toBeGreaterThan(10)
  expect(foreign).toEqual([])
  expect(imports(readFileSync(join(src, 'domain/errors.ts'), 'utf8'))).toEqual(['./error-table.ts'])
  expect(imports(readFileSync(join(src, 'domain/error-table.ts'), 'utf8'))).toEqual([])
})

test('the check sees an import whose names are all types: it is loaded all the same (control)', () => {
  expect(imports("import { type Run } from '../domain/run.ts'\nimport type { Z } from 'zod'")).toEqual([
    '../domain/run.ts',
  ])
})
