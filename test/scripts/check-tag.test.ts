import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runScript } from './image/run-script.ts'

const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'))

test('a release is called as its package, or it is refused', async () => {
  const right = await runScript('check-tag.ts', ['--tag', `v${version}`])
  const wrong = await runScript('check-tag.ts', ['--tag', `v${version}-other`])

  expect(right.code, right.stderr).toBe(0)
  expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining(`expected the tag v${version}`) })
})

test('a package that does not name the repository it is released from is refused before npm would, with the remedy', async () => {
  const foreign = await runScript('check-tag.ts', ['--tag', `v${version}`, '--repository', 'someone/else'])

  expect(foreign).toMatchObject({ code: 1, stderr: expect.stringContaining('github.com/someone/else.git') })
  expect(foreign.stderr).toContain('npm pkg set repository.type=git')
})
