import { join } from 'node:path'
import { cellsOf } from '../cells-of.ts'
import type { CommandSpec } from '../command.ts'
import { dataDirOf, urlOf } from '../connection.ts'
import { type Finding, missing } from '../doctor/finding.ts'
import { checkCgroups, checkDisk, checkPlatform } from '../doctor/machine.ts'
import { checkNode, checkPython, checkSandbox } from '../doctor/programs.ts'
import { checkPostgres, checkServer } from '../doctor/servers.ts'
import { runRetentionDaysOf } from '../run-retention-days.ts'
import { visible } from '../visible.ts'

const packageRoot = join(import.meta.dirname, '../../..')

export const doctorCommand: CommandSpec = {
  usage: 'doctor',
  description:
    'Look at what is there to run code, and say what to do: this machine, or with BERTH_BACKEND=lambda the cells of BERTH_CELLS. Exits with 1 when something needed is missing.',
  caller: 'nobody',
  options: [['--url <url>', 'server to look for (BERTH_URL; else http://127.0.0.1:8787)']],
  examples: ['doctor', 'doctor --json', 'BERTH_BACKEND=lambda berth doctor'],
  act: async ({ flags, terminal, signal }) => {
    const progress = terminal.json
      ? null
      : terminal.progress(isOnAws(process.env) ? 'asking AWS' : 'looking at this machine')
    const findings = await examine(urlOf(flags, process.env), signal).finally(() => progress?.stop())
    const isWell = findings.every(({ state }) => state !== 'missing')
    terminal.answer({ ok: isWell, findings }, () => [
      ...findings.flatMap((finding) => findingLines(finding, (style, text) => terminal.paint(style, text))),
      isWell ? 'Berth can run here.' : 'Something that Berth needs is missing: see the lines marked "missing".',
    ])
    return isWell ? 0 : 1
  },
}

const isOnAws = (env: NodeJS.ProcessEnv): boolean => env['BERTH_BACKEND']?.startsWith('lambda') === true

const examine = async (url: string, signal: AbortSignal): Promise<readonly Finding[]> => {
  const { env } = process
  const common = [checkDisk(dataDirOf(env)), checkPostgres(env['DATABASE_URL']), checkServer(url, signal)]
  const own = isOnAws(env) ? [checkCells(env, signal)] : machineChecks(env, signal)
  const found = await Promise.all([...own, ...common])
  const platform = isOnAws(env) ? [] : [checkPlatform(process.platform, process.arch)]
  return [...platform, checkNode(process.versions.node), ...found.flat()]
}

/** No code runs on this machine then, so nothing is asked of it. */
const checkCells = async (env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<readonly Finding[]> => {
  const cells = cellsOf(env)
  if (cells.length === 0) return [missing('cells', 'BERTH_CELLS names none', 'Set it to what `berth init` printed.')]
  const { examineCell } = await import('../../main/deployment/examine-cell.ts')
  const runRetentionDays = runRetentionDaysOf(env)
  const options = { runRetentionDays, needsShared: env['BERTH_BACKEND'] === 'lambda-shared', signal }
  return (await Promise.all(cells.map((cell) => examineCell(cell, options)))).flat()
}

const machineChecks = (env: NodeJS.ProcessEnv, signal: AbortSignal) => {
  const programs = {
    python: env['BERTH_PYTHON'] ?? join(packageRoot, '.venv/bin/python'),
    runnerDir: join(packageRoot, 'runner-image'),
    signal,
  }
  return [checkPython(programs), checkSandbox(programs), checkCgroups()]
}

const colours = { ok: 'green', limited: 'yellow', missing: 'red' } as const

const findingLines = (
  { name, state, detail, remedy }: Finding,
  paint: (style: 'green' | 'yellow' | 'red', text: string) => string,
): readonly string[] => [
  `${paint(colours[state], state.padEnd(7))}  ${name.padEnd(24)}  ${visible(detail)}`,
  ...(remedy === null ? [] : [`${' '.repeat(9)}${remedy}`]),
]
