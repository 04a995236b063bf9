import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { checkPython, checkSandbox } from '../../src/cli/doctor/programs.ts'

const root = resolve(import.meta.dirname, '../..')
const { signal } = new AbortController()

test('in a checkout without its virtual environment, the doctor names the script that makes it', async () => {
  const finding = await checkPython({ python: '/nowhere/bin/python', runnerDir: `${root}/runner-image`, signal })

  expect(finding).toMatchObject({ state: 'missing', remedy: expect.stringContaining('scripts/setup.sh') })
})

test('in the published package, the doctor gives the one command that makes it, and blames no sandbox', async () => {
  const programs = { python: '/pkg/.venv/bin/python', runnerDir: '/pkg/runner-image', signal }

  const [python, sandbox] = await Promise.all([checkPython(programs), checkSandbox(programs)])

  expect(python.remedy).toContain(
    'python3 -m venv /pkg/.venv && /pkg/.venv/bin/pip install --require-hashes -r /pkg/runner-image/requirements.txt',
  )
  expect(sandbox).toEqual([expect.objectContaining({ state: 'missing', remedy: 'Mend Python first, then ask again.' })])
})
