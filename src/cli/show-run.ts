import type { Result, Run, Table } from '../domain/run.ts'
import { exitCodeOfRun } from './exit-code.ts'
import type { Terminal } from './terminal.ts'
import { visible, visibleOutput } from './visible.ts'

const MAX_ROWS = 20

/** What a person sees of a finished run besides its output. */
export const runLines = (run: Run, terminal: Terminal): readonly string[] => [
  ...run.results.flatMap((result) => resultLines(result, terminal)),
  ...run.artifacts.map(({ name, mime, bytes }) =>
    terminal.paint('dim', `artifact ${visible(name)} (${visible(mime)}, ${bytes} bytes)`),
  ),
]

/** How it ended, for stderr: nothing for a success without remarks. */
export const endingLines = (run: Run): readonly string[] => [
  ...run.warnings.map((warning) => `warning: ${visible(warning)}`),
  ...(run.error === null
    ? []
    : [visibleOutput(run.error.traceback.trimEnd() || `${run.error.name}: ${run.error.value}`)]),
  ...(run.logs.droppedBytes > 0 ? [`output was cut: ${run.logs.droppedBytes} bytes were not kept`] : []),
  ...(run.failure === null
    ? []
    : [
        `run ${run.id} ${run.status}: ${visible(run.failure.detail)} (${run.failure.code})`,
        `  ${visible(run.failure.remedy)}`,
      ]),
]

export const summaryOf = (run: Run): string =>
  `run ${run.id} ${run.status} in ${Math.round(run.timings.totalMs)} ms, exit code ${exitCodeOfRun(run)}`

const resultLines = (result: Result, terminal: Terminal): readonly string[] => {
  if (result.table !== undefined) return tableLines(result.table, terminal)
  const text = result.markdown ?? result.text
  if (text !== undefined && (result.png === undefined || result.isMain))
    return [terminal.isScreen ? visibleOutput(text) : text]
  if (result.json !== undefined) return [JSON.stringify(result.json, null, 2)]
  const form = (['png', 'svg', 'html'] as const).find((name) => result[name] !== undefined)
  return form === undefined ? [] : [terminal.paint('dim', `result as ${form}; save it with --out <folder>`)]
}

const tableLines = (table: Table, terminal: Terminal): readonly string[] => {
  const shown = table.rows.slice(0, MAX_ROWS)
  const columns = table.columns.map(({ name, type }) => ({
    title: visible(name),
    align: type === 'number' || type === 'integer' ? ('right' as const) : ('left' as const),
  }))
  const left = table.rowCount - shown.length
  return [
    ...terminal.table(
      columns,
      shown.map((row) => row.map(cellOf)),
    ),
    ...(left > 0 ? [terminal.paint('dim', `… and ${left} more rows`)] : []),
  ]
}

const cellOf = (value: unknown): string => {
  if (value === null) return ''
  return visible(typeof value === 'string' ? value : JSON.stringify(value))
}
