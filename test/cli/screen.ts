// oxlint-disable-next-line no-control-regex
const token = /\u001B\[(\d*)([A-Za-z])|[\s\S]/gu

/** The lines that a terminal shows after all this was written: it knows what we use, up, clear below, start of line, colours. */
export const screenOf = (written: string): readonly string[] => {
  const lines: string[] = ['']
  let [row, column] = [0, 0]
  const put = (character: string): void => {
    const line = (lines[row] ?? '').padEnd(column)
    lines[row] = line.slice(0, column) + character + line.slice(column + 1)
    column += 1
  }
  const move = (count: number, kind: string): void => {
    if (kind === 'A') row = Math.max(0, row - count)
    if (kind === 'J') lines.splice(row, Infinity, (lines[row] ?? '').slice(0, column))
    if (kind === 'K') lines[row] = (lines[row] ?? '').slice(0, column)
  }
  for (const [text, count, kind] of written.matchAll(token)) {
    if (kind !== undefined) move(Number(count || 1), kind)
    else if (text === '\r') column = 0
    else if (text === '\n') lines[(row += 1)] ??= ''
    else put(text)
  }
  return lines.map((line) => line.trimEnd())
}
