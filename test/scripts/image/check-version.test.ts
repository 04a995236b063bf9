import { execFileSync } from 'node:child_process'
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { runScript } from './run-script.ts'

/** A repository with the runner image of version 2. */
const openRepository = () => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-version-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const git = (...args: readonly string[]): string =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], { cwd: folder })
      .toString()
      .trim()
  const commit = (files: Readonly<Record<string, string>>): string => {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), content)
    }
    git('add', '.')
    git('commit', '-q', '-m', 'change')
    return git('rev-parse', 'HEAD')
  }
  git('init', '-q')
  const first = commit({ 'runner-image/VERSION': '2\n', 'runner-image/berth_runner/a.py': '1' })
  const check = (since: string) => runScript('image/check-version.ts', ['--since', since], { cwd: folder })
  return { first, commit, check }
}

test('a change of the runner without a higher version is refused, with what to write', async () => {
  const { first, commit, check } = openRepository()
  commit({ 'runner-image/berth_runner/a.py': '2' })

  const { code, stderr } = await check(first)

  expect(code).toBe(1)
  expect(stderr).toContain('expected more than 2, got 2')
  expect(stderr).toContain('runner-image/berth_runner/a.py')
  expect(stderr).toContain('write 3 into it')
})

test('a change with a higher version passes, over several commits too', async () => {
  const { first, commit, check } = openRepository()
  commit({ 'runner-image/berth_runner/a.py': '2' })
  commit({ 'runner-image/VERSION': '3\n' })

  expect(await check(first)).toMatchObject({ code: 0, stdout: 'version 2 to 3, 2 files changed\n' })
})

test('a lower version is refused even when nothing else changed', async () => {
  const { first, commit, check } = openRepository()
  commit({ 'runner-image/VERSION': '1\n' })

  expect((await check(first)).code).toBe(1)
})

test('what does not reach the image needs no version', async () => {
  const { first, commit, check } = openRepository()
  commit({ 'runner-image/README.md': 'words', 'src/a.ts': '' })

  expect((await check(first)).code).toBe(0)
})

test('where GitHub knows no commit before, the parent has to do', async () => {
  const { commit, check } = openRepository()
  commit({ 'runner-image/berth_runner/a.py': '2' })

  const { code, stderr } = await check('0'.repeat(40))

  expect(code).toBe(1)
  expect(stderr).toContain('comparing with the commit before')
})

test('a version that is no number is refused', async () => {
  const { first, commit, check } = openRepository()
  commit({ 'runner-image/VERSION': '3.1\n' })

  expect(await check(first)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('expected a whole number from 1, got "3.1"'),
  })
})
