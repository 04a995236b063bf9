export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
}

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' })
const wide = /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|\p{Emoji_Presentation}/u

/** Columns of a terminal that the text takes: an accent takes none, East Asian characters and emoji take two. */
export const widthOf = (text: string): number => {
  let width = 0
  for (const { segment } of graphemes.segment(text)) width += wide.test(segment) ? 2 : 1
  return width
}

/** Aligned lines, the titles first; no white space at the ends of lines. */
export const renderTable = (columns: readonly Column[], rows: readonly (readonly string[])[]): readonly string[] => {
  const lines = [columns.map(({ title }) => title), ...rows]
  const widths = columns.map((_, index) => lines.reduce((most, line) => Math.max(most, widthOf(line[index] ?? '')), 0))
  return lines.map((line) =>
    columns
      .map(({ align }, index) => {
        const cell = line[index] ?? ''
        const pad = ' '.repeat((widths[index] ?? 0) - widthOf(cell))
        return align === 'right' ? pad + cell : cell + pad
      })
      .join('  ')
      .trimEnd(),
  )
}
