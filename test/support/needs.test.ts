import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { whatIsMissing } from '../../scripts/aws-local/paths.ts'
import { needOf } from './needs.ts'

const EMULATOR = '.cache/aws-local/venv/bin/python'
const RIE = '.cache/rie/aws-lambda-rie'
const OWN = '.venv/bin/python'
let root: string

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'berth-needs-'))
})
afterAll(() => rm(root, { recursive: true }))

const machineWith = async (name: string, paths: readonly string[]): Promise<string> => {
  const machine = join(root, name)
  for (const path of paths) {
    await mkdir(dirname(join(machine, path)), { recursive: true })
    await writeFile(join(machine, path), '')
  }
  return machine
}

test('a machine with all parts of the stand-in lacks nothing', async () => {
  expect(whatIsMissing(await machineWith('whole', [EMULATOR, RIE, OWN]), 'x64')).toBeNull()
  expect(whatIsMissing(await machineWith('whole', [EMULATOR, RIE, OWN]), 'arm64')).toBeNull()
})

test.each([
  [EMULATOR, "the emulator's Python environment"],
  [RIE, "AWS's runtime interface emulator"],
  [OWN, "Berth's Python packages"],
])('without %s the reason names that alone, in one line with the remedy', async (absent, named) => {
  const present = [EMULATOR, RIE, OWN].filter((path) => path !== absent)
  const why = whatIsMissing(
    await machineWith(`without-${present.indexOf(RIE)}-${present.indexOf(OWN)}`, present),
    'x64',
  )

  expect(why).toMatch(/^the AWS stand-in lacks [^\n]*; do this one thing: sh scripts\/setup.sh --for-tests$/)
  expect(why?.split(' and ')).toHaveLength(1)
  expect(why).toContain(named)
})

test('where AWS publishes no emulator that is pinned here, no remedy is promised', async () => {
  const why = whatIsMissing(await machineWith('arm', [EMULATOR, OWN]), 'arm64')

  expect(why).toContain('x86_64 alone; this is arm64')
  expect(why).not.toContain('do this one thing')
})

test('what is there is run; what is not is skipped with the reason', () => {
  expect(needOf('aws-local', null)).toEqual({ name: 'aws-local' })
  expect(needOf('aws-local', 'no emulator')).toEqual({
    name: 'aws-local',
    skip: true,
    meta: { whySkipped: 'no emulator' },
  })
})

test('every test file that starts the stand-in bears its tag', () => {
  const folder = resolve(import.meta.dirname, '..')
  const part = join(folder, 'support/aws-local.ts')
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.test.ts') && !name.includes('node_modules'),
  )

  const startsIt = files.filter((name) => everythingFrom(join(folder, name)).has(part))
  const untagged = startsIt.filter((name) => !isTagged(readFileSync(join(folder, name), 'utf8')))

  expect(startsIt.length).toBeGreaterThan(20)
  expect(untagged).toEqual([])
})

const isTagged = (text: string): boolean =>
  text.includes('@module-tag aws-local\n') || /tags: \[[^\]]*'aws-local'/.test(text)

const everythingFrom = (file: string, seen: Set<string> = new Set()): ReadonlySet<string> => {
  if (seen.has(file)) return seen
  seen.add(file)
  for (const [statement, target = ''] of readFileSync(file, 'utf8').matchAll(/^import [^'"]*from '(\.[^']+)'/gm))
    if (!statement.startsWith('import type ')) everythingFrom(resolve(dirname(file), target), seen)
  return seen
}
