import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { expect, test } from 'vitest'
import { exitCodes } from '../../src/cli/exit-code.ts'
import { createProgram } from '../../src/cli/program.ts'

const doc = readFileSync(join(import.meta.dirname, '../../docs/cli.md'), 'utf8')

/** `init` is a command and has one below it; a group of commands has a --help and nothing else. */
const isCommand = (command: Command): boolean => command.options.some(({ long }) => long === '--json')

const commands = createProgram(() => undefined).commands.flatMap((command) => [
  ...(isCommand(command) ? [command.name()] : []),
  ...command.commands.map((leaf) => `${command.name()} ${leaf.name()}`),
])

test.each(commands)('docs/cli.md names berth %s', (name) => {
  expect(doc).toMatch(new RegExp(`\`berth ${name}[ \`]`))
})

test('docs/cli.md names no command that does not exist', () => {
  const groups = new Set(commands.map((name) => name.split(' ')[0]))
  const named = [...doc.matchAll(/`berth (\w+)(?: (\w+))?/g)].map(([, first = '', second]) =>
    second !== undefined && groups.has(first) && commands.some((name) => name.startsWith(`${first} `))
      ? `${first} ${second}`
      : first,
  )

  expect(named.filter((name) => name !== 'cli' && !commands.includes(name))).toEqual([])
})

test('docs/cli.md explains every exit code, and no other', () => {
  const explained = [...doc.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code))

  expect(explained).toEqual(Object.values(exitCodes))
})
