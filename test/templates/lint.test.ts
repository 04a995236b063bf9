import { execFile } from 'node:child_process'
import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { swap } from './cell.ts'
import { templatePath, templateText } from './read-template.ts'

const linter = fileURLToPath(new URL('../../.venv/bin/cfn-lint', import.meta.url))

/** What cfn-lint says about the files, a line for each fault; empty when they are clean. */
const lint = (...files: readonly string[]): Promise<string> =>
  new Promise((resolve, reject) => {
    execFile(linter, ['--format', 'parseable', '--', ...files], (error, stdout) => {
      if (error && typeof error.code !== 'number') reject(error)
      else resolve(stdout.trim())
    })
  })

const faults: readonly (readonly [string, string])[] = [
  ['MemorySize:', 'MemoryGigabytes:'],
  ['LogFormat: JSON', 'LogFormat: PROSE'],
  ['!GetAtt Role.Arn', '!GetAtt Rolle.Arn'],
]

// One process for all: the linter takes longer to start than to lint.
test('the templates are clean, and the linter sees a wrong name, a wrong value and a typo in a broken copy', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'berth-templates-'))
  const copy = join(folder.path, 'broken.yaml')
  await writeFile(
    copy,
    faults.reduce((text, [piece, other]) => swap(piece, other)(text), templateText('tenant')),
  )
  const lines = (await lint(templatePath('tenant'), templatePath('foundation'), copy)).split('\n')

  expect(lines.filter((line) => !line.startsWith(copy))).toEqual([])
  for (const word of ['MemoryGigabytes', 'PROSE', 'Rolle']) expect(lines.join('\n')).toContain(word)
})

test('the templates are small enough to be sent inline', () => {
  for (const name of ['tenant', 'foundation'] as const)
    expect(Buffer.byteLength(templateText(name))).toBeLessThan(51_200)
})
