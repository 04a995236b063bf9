import { join } from 'node:path'
import type { CommandSpec } from '../command.ts'
import { dataDirOf, urlOf } from '../connection.ts'
import type { Finding } from '../doctor/finding.ts'
import { checkCgroups, checkDisk, checkPlatform } from '../doctor/machine.ts'
import { checkNode, checkPython, checkSandbox } from '../doctor/programs.ts'
import { checkPostgres, checkServer } from '../doctor/servers.ts'
import { visible } from '../visible.ts'

const packageRoot = join(import.meta.dirname, '../../..')

export const doctorCommand: CommandSpec = {
  usage: 'doctor',
  description:
    'Look at what this machine offers to run code, and say what to install. Exits with 1 when something needed is missing.',
  caller: 'nobody',
  options: [['--url <url>', 'server to look for (BERTH_URL; else http://127.0.0.1:8787)']],
  examples: ['doctor', 'doctor --json'],
  act: async ({ flags, terminal, signal }) => {
    const progress = terminal.json ? null : terminal.progress('looking at this machine')
    const findings = await examine(urlOf(flags, process.env), signal).finally(() => progress?.stop())
    const isWell = findings.every(({ state }) => state !== 'missing')
    terminal.answer({ ok: isWell, findings }, () => [
      ...findings.flatMap((finding) => findingLines(finding, (style, text) => terminal.paint(style, text))),
      isWell ? 'This machine can run Berth.' : 'Something that Berth needs is missing: see the lines marked "missing".',
    ])
    return isWell ? 0 : 1
  },
}

const examine = async (url: string, signal: AbortSignal): Promise<readonly Finding[]> => {
  const { env } = process
  const programs = {
    python: env['BERTH_PYTHON'] ?? join(packageRoot, '.venv/bin/python'),
    runnerDir: join(packageRoot, 'runner-image'),
    signal,
  }
  const found = await Promise.all([
    checkPython(programs),
    checkSandbox(programs),
    checkCgroups(),
    checkDisk(dataDirOf(env)),
    checkPostgres(env['DATABASE_URL']),
    checkServer(url, signal),
  ])
  return [checkPlatform(process.platform, process.arch), checkNode(process.versions.node), ...found.flat()]
}

const colours = { ok: 'green', limited: 'yellow', missing: 'red' } as const

const findingLines = (
  { name, state, detail, remedy }: Finding,
  paint: (style: 'green' | 'yellow' | 'red', text: string) => string,
): readonly string[] => [
  `${paint(colours[state], state.padEnd(7))}  ${name.padEnd(19)}  ${visible(detail)}`,
  ...(remedy === null ? [] : [`${' '.repeat(9)}${remedy}`]),
]
