import { stripVTControlCharacters } from 'node:util'
import { widthOf } from './table.ts'

const FRAME_MS = 150

export interface Panel {
  /** Ends it; what is on the screen goes, or stays for whoever was interrupted. */
  readonly stop: (options?: { readonly keep: boolean }) => void
}

/** True where lines can be drawn anew: a terminal that knows its size and obeys. */
export const canRedraw = (env: NodeJS.ProcessEnv): boolean =>
  process.stderr.isTTY && process.stderr.columns > 0 && env['TERM'] !== 'dumb'

/** Lines of stderr that are drawn anew in place. They must fit into the width that the terminal has when they are asked for. */
export const startPanel = (lines: (columns: number) => readonly string[]): Panel => {
  const { stderr } = process
  let shown: readonly string[] = []
  // A terminal that was made narrower has broken what was on one line.
  const height = (): number =>
    shown.reduce(
      (sum, line) => sum + Math.max(1, Math.ceil(widthOf(stripVTControlCharacters(line)) / stderr.columns)),
      0,
    )
  const back = (): string => (shown.length === 0 ? '' : `\u001B[${height()}A\r\u001B[J`)
  const draw = (): void => {
    // One column stays free: a full line would move the cursor on some terminals. What is higher than the screen could not be reached again.
    const next = lines(stderr.columns - 1).slice(0, Math.max(1, stderr.rows - 1))
    const text = next.map((line) => `${line}\n`).join('')
    if (next.length === shown.length && next.every((line, index) => line === shown[index])) return
    stderr.write(back() + text)
    shown = next
  }
  const timer = setInterval(draw, FRAME_MS).unref()
  let running = true
  draw()
  return {
    stop: ({ keep } = { keep: false }) => {
      if (!running) return
      running = false
      clearInterval(timer)
      draw()
      // The terminal itself has written ^C behind what is kept.
      stderr.write(keep ? '\r\u001B[K' : back())
    },
  }
}
