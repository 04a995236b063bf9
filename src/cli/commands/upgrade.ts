import type { UpgradeReport } from '../../main/deployment/upgrade-berths.ts'
import { cellsOf } from '../cells-of.ts'
import { type CommandContext, type CommandSpec, textFlag, usageError } from '../command.ts'
import { visible } from '../visible.ts'

export const upgradeCommand: CommandSpec = {
  usage: 'upgrade',
  description:
    'Bring the stacks of existing berths to the present template and to the function settings of BERTH_CELLS. Each keeps the image it runs. Changes nothing without --apply.',
  caller: 'aws',
  options: [
    ['--cell <name>', 'only this cell of BERTH_CELLS'],
    ['--apply', 'change the stacks'],
  ],
  examples: ['upgrade', 'upgrade --apply', 'upgrade --cell eu-west-1 --apply --json'],
  act: async ({ flags, terminal, signal }) => {
    const apply = flags['apply'] === true
    const cells = chosenCells(flags)
    const { upgradeBerths } = await import('../../main/deployment/upgrade-berths.ts')
    const progress = terminal.progress(apply ? 'upgrading' : 'counting')
    const onProgress = (line: string): void => progress.update(visible(line))
    const reports: UpgradeReport[] = []
    try {
      for (const cell of cells) reports.push(await upgradeBerths(cell, { apply, signal, onProgress }))
    } finally {
      progress.stop()
    }
    terminal.answer({ applied: apply, cells: reports }, () => [
      ...terminal.table(columns, reports.map(cellsOfReport)),
      ...reports.flatMap(({ failed }) => failed.map(({ berthId, error }) => `${berthId}: ${visible(error)}`)),
      ...(apply ? [] : ['nothing was changed; bring them to the present template with: berth upgrade --apply']),
    ])
    return reports.some(({ failed }) => failed.length > 0) ? 1 : 0
  },
}

const chosenCells = (flags: CommandContext['flags']) => {
  const cells = cellsOf(process.env)
  const name = textFlag(flags, 'cell')
  const chosen = name === undefined ? cells : cells.filter((cell) => cell.name === name)
  if (chosen.length > 0) return chosen
  if (name === undefined) throw usageError('no cell is named', 'Set BERTH_CELLS to what `berth init` printed.')
  throw usageError(
    `--cell: expected one of ${cells.map((cell) => cell.name).join(', ') || 'BERTH_CELLS, which is empty'}, got ${name}`,
    'Name a cell of BERTH_CELLS.',
  )
}

const columns = [
  { title: 'CELL' },
  { title: 'BERTHS', align: 'right' },
  { title: 'UPGRADED', align: 'right' },
  { title: 'UNCHANGED', align: 'right' },
  { title: 'FAILED', align: 'right' },
] as const

const cellsOfReport = ({ cell, berths, upgraded, unchanged, failed }: UpgradeReport): readonly string[] => [
  cell,
  String(berths),
  String(upgraded),
  String(unchanged),
  String(failed.length),
]
