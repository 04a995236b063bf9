import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'
import { type Figures, goals, meetsGoal } from './figures.ts'

const machine = () => ({
  cores: availableParallelism(),
  cpu: cpus()[0]?.model ?? 'unknown',
  memoryGiB: Math.round(totalmem() / 1024 ** 3),
  kernel: release(),
  node: process.version,
  load: loadavg()[0],
})

/** The one JSON object, on one line: figures by their names, what was left out and why, and the machine. */
export const toJson = ({ values, omitted }: Figures, seconds: number): string =>
  JSON.stringify({ ...values, omitted, machine: machine(), seconds: Number(seconds.toFixed(1)) })

const goalText = (name: string): string => {
  const goal = goals[name]
  if (goal === undefined) return ''
  return goal.most === undefined ? `≥ ${goal.least}` : `≤ ${goal.most}`
}

const verdicts = { true: 'met', false: 'MISSED', null: '' } as const

export const toTable = ({ values, omitted }: Figures): string => {
  const rows = Object.entries(values).map(([name, value]) => [
    name,
    String(value),
    goalText(name),
    verdicts[`${meetsGoal(name, value)}`],
  ])
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const lines = rows.map((row) =>
    row
      .map((text, column) => text.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  return [...lines, ...Object.entries(omitted).map(([name, why]) => `${name}  omitted: ${why}`)].join('\n')
}
