import { expect, test } from 'vitest'
import { createProgram } from '../../src/cli/program.ts'
import { berth } from './berth-process.ts'

const leaves = createProgram(() => undefined).commands.flatMap((command) => [
  // What is a command and no group of them has options of its own.
  ...(command.options.length > 0 ? [command] : []),
  ...command.commands,
])

test('every command has a description and --json', () => {
  expect(leaves.length).toBeGreaterThan(20)
  for (const command of leaves) {
    expect(command.description(), command.name()).not.toBe('')
    expect(
      command.options.map(({ long }) => long),
      command.name(),
    ).toContain('--json')
  }
})

test.each(['serve', 'run', 'files put', 'runs logs', 'tenants delete', 'keys create', 'reconcile', 'doctor'])(
  'berth %s --help shows examples and exits with 0',
  async (words) => {
    const { code, stdout } = await berth([...words.split(' '), '--help'])

    expect(code).toBe(0)
    expect(stdout).toContain(`Examples:\n  $ berth ${words}`)
  },
)

test('berth --help lists the commands and the exit codes', async () => {
  const { code, stdout } = await berth(['--help'])

  expect(code).toBe(0)
  const named = [...stdout.matchAll(/^ {2}(\w+)(?: \[options\].*| {2,}.*)$/gm)].map(([, name]) => name)
  expect(named).toEqual(
    expect.arrayContaining(['serve', 'run', 'files', 'runs', 'tenants', 'keys', 'reconcile', 'doctor']),
  )
  expect(stdout).toMatch(/Exit codes:\n {2}0 {3}it worked/)
})
