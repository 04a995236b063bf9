import { styleText } from 'node:util'
import { type Column, renderTable } from './table.ts'
import { startProgress, type Progress } from './progress.ts'

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow'

/** Where a command writes. With `--json`, stdout carries one document and nothing else. */
export interface Terminal {
  readonly json: boolean
  /** True when a person looks at stdout. */
  readonly isScreen: boolean
  /** One line for people; nothing with `--json`. */
  readonly print: (line: string) => void
  /** One line beside the answer, on stderr. */
  readonly note: (line: string) => void
  /** The answer: one JSON document, or lines for people. */
  answer(value: unknown, lines: () => readonly string[]): void
  table(columns: readonly Column[], rows: readonly (readonly string[])[]): readonly string[]
  paint(style: Style, text: string): string
  progress(text: string): Progress
}

const write = (text: string): void => void process.stdout.write(text)

// styleText looks at the stream and at NO_COLOR itself.
const paint = (style: Style, text: string): string => styleText(style, text, { stream: process.stdout })

export const createTerminal = ({ json }: { json: boolean }): Terminal => ({
  json,
  isScreen: process.stdout.isTTY,
  print: (line) => {
    if (!json) write(`${line}\n`)
  },
  note: (line) => void process.stderr.write(`${line}\n`),
  answer: (value, lines) => {
    if (json) return write(`${JSON.stringify(value, null, 2)}\n`)
    for (const line of lines()) write(`${line}\n`)
  },
  table: (columns, rows) => {
    const [head = '', ...body] = renderTable(columns, rows)
    return [paint('bold', head), ...body]
  },
  paint,
  progress: (text) => startProgress(text),
})
