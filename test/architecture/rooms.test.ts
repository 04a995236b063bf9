import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const src = join(root, 'src')

/** Who may import whom. `domain` is free for all; what is not listed is forbidden. */
const rooms: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  provisioner: ['domain'],
  dispatcher: ['domain'],
  rollout: ['domain'],
  identity: ['domain'],
  backends: ['domain', 'aws'],
  aws: ['domain'],
  store: ['domain'],
  http: ['domain', 'provisioner (types)', 'dispatcher (types)', 'identity (types)', 'client (types)'],
  client: ['domain (types)'],
  cli: ['domain', 'main', 'client'],
  main: ['domain', 'provisioner', 'dispatcher', 'rollout', 'identity', 'backends', 'aws', 'store', 'http', 'client'],
}

/** The client runs in browsers too: what it takes from the domain at run time has no dependency on Node. */
const exceptions: Readonly<Record<string, readonly string[]>> = {
  client: ['src/domain/errors.ts', 'src/domain/error-table.ts'],
}

interface Import {
  readonly file: string
  readonly target: string
  readonly typeOnly: boolean
}

const sourceFiles = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name))

/** Every static import, export-from and dynamic import; a statement whose names are all `type` counts as type-only. */
const importsIn = (file: string, text: string): Import[] => {
  const named = /^(?:import|export)\s+(type\s+)?(\{[^}]*\}|\*(?:\s+as\s+\w+)?|[\w$]+)\s+from\s+'([^']+)'/gm
  const bare = /^import\s+'([^']+)'|\bimport\('([^']+)'\)/gm
  const withNames = [...text.matchAll(named)].map(([, type, names = '', target = '']) => {
    const listed = names.startsWith('{') ? names.slice(1, -1).split(',') : []
    const allTypes = listed.length > 0 && listed.every((name) => /^\s*(type\s|$)/.test(name))
    return { file, target, typeOnly: type !== undefined || allTypes }
  })
  const others = [...text.matchAll(bare)].map(([, target, dynamic]) => ({
    file,
    target: target ?? dynamic ?? '',
    typeOnly: false,
  }))
  return [...withNames, ...others]
}

const roomOf = (file: string): string => relative(src, file).split('/')[0] ?? ''

const violations = (imports: readonly Import[]): string[] =>
  imports.flatMap(({ file, target, typeOnly }) => {
    const from = roomOf(file)
    if (!target.startsWith('.'))
      return from === 'domain' && target !== 'zod' ? [`${relative(root, file)} imports ${target}`] : []
    const imported = resolve(dirname(file), target)
    const to = roomOf(imported)
    const allowed = rooms[from] ?? []
    const fine =
      from === to ||
      allowed.includes(to) ||
      (typeOnly && allowed.includes(`${to} (types)`)) ||
      (exceptions[from] ?? []).includes(relative(root, imported))
    return fine ? [] : [`${relative(root, file)} imports ${typeOnly ? 'types of ' : ''}${relative(root, imported)}`]
  })

describe('the rooms of src/', () => {
  const files = sourceFiles(src).filter((file) => dirname(file) !== src)

  test('import only what the room table allows', () => {
    const found = violations(files.flatMap((file) => importsIn(file, readFileSync(file, 'utf8'))))

    expect(found).toEqual([])
  })

  test('the check sees a forbidden import (control)', () => {
    const text = `import { openStore } from '../store/open-store.ts'\nimport type { Store } from '../domain/ports/store.ts'`

    const found = violations(importsIn(join(src, 'dispatcher/x.ts'), text))

    expect(found).toEqual(['src/dispatcher/x.ts imports src/store/open-store.ts'])
  })

  test('are all known', () => {
    const unknown = readdirSync(src, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !(entry.name in rooms))
      .map((entry) => entry.name)

    expect(unknown).toEqual([])
  })

  test('each have a README of at most 15 lines', () => {
    const bad = readdirSync(src, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .flatMap(({ name }) => {
        const text = readFileSync(join(src, name, 'README.md'), { encoding: 'utf8', flag: 'r' })
        return text.trimEnd().split('\n').length > 15 ? [name] : []
      })

    expect(bad).toEqual([])
  })
})

test('the top level is fixed', () => {
  const allowed = new Set(
    'package.json package-lock.json tsconfig.json src templates runner-image scripts test docs README.md CONTRIBUTING.md LICENSE node_modules dist'.split(
      ' ',
    ),
  )

  const extra = readdirSync(root).filter((name) => !name.startsWith('.') && !allowed.has(name))

  expect(extra).toEqual([])
})
