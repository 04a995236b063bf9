import { styleText } from 'node:util'
import type { Table } from '../../src/domain/run.ts'

/** Tells a person what happens, step by step; with `--json` one JSON line per step instead. */
export interface Narrator {
  step(title: string): void
  /** What came of the step. */
  done(text: string, facts?: Readonly<Record<string, unknown>>): void
  line(text: string): void
  table(table: Table): void
  end(result: { readonly ok: boolean } & Readonly<Record<string, unknown>>): void
}

const write = (text: string): void => void process.stdout.write(`${text}\n`)

export const createJsonNarrator = (): Narrator => {
  let current = ''
  return {
    step: (title) => {
      current = title
    },
    done: (text, facts = {}) => write(JSON.stringify({ step: current, result: text, ...facts })),
    line: () => undefined,
    table: () => undefined,
    end: (result) => write(JSON.stringify(result)),
  }
}

export const createPersonNarrator = (): Narrator => {
  let count = 0
  return {
    step: (title) => {
      count += 1
      write(`\n${styleText('bold', `${count}. ${title}`)}`)
    },
    done: (text) => write(`   ${styleText('green', '✓')} ${text}`),
    line: (text) => write(`   ${text}`),
    table: (table) => {
      for (const row of formatTable(table)) write(`     ${row}`)
    },
    end: ({ ok }) => {
      if (!ok) write(styleText('red', '\nSomething did not go as promised; see above.'))
    },
  }
}

const cellText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

/** Columns side by side, numbers to the right. */
export const formatTable = ({ columns, rows }: Table): readonly string[] => {
  const cells = [columns.map(({ name }) => name), ...rows.map((row) => row.map(cellText))]
  const widths = columns.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)))
  const isNumber = columns.map(({ type }) => type === 'number' || type === 'integer')
  return cells.map((row) =>
    row
      .map((cell, column) =>
        isNumber[column] === true ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  )
}
