import { visible } from './visible.ts'

export interface Progress {
  update(text: string): void
  /** Ends it; without a text nothing stays on the screen. */
  stop(text?: string): void
}

const FRAMES = ['◒', '◐', '◓', '◑']
const FRAME_MS = 120

const write = (text: string): void => void process.stderr.write(text)
const line = (words: string): void => write(`${words}\n`)

/** What takes long: a wheel where a person looks at stderr, plain lines elsewhere. stdout stays the answer's. */
export const startProgress = (text: string): Progress => {
  // A terminal that does not know its width (0) would get one letter a line.
  if (process.stderr.isTTY && process.stderr.columns > 0) return startWheel(text)
  line(`${text} …`)
  return { update: line, stop: (words) => (words === undefined ? undefined : line(words)) }
}

/** Not the wheel of the prompts' library: that one reads the keyboard, so a Ctrl-C would end us there and then, with code 0. */
const startWheel = (text: string): Progress => {
  let words = text
  let frame = 0
  let running = true
  const draw = (): void => write(`\r\u001B[K${FRAMES[frame++ % FRAMES.length]} ${fitted(words)}`)
  const timer = setInterval(draw, FRAME_MS).unref()
  draw()
  return {
    update: (next) => void (words = next),
    stop: (last) => {
      if (!running) return
      running = false
      clearInterval(timer)
      write('\r\u001B[K')
      if (last !== undefined) line(last)
    },
  }
}

/** On one line of the screen, since only that line can be drawn anew. */
const fitted = (words: string): string => {
  const room = Math.max(10, process.stderr.columns - 4)
  const shown = visible(words)
  return shown.length > room ? `${shown.slice(0, room - 1)}…` : shown
}
