import { spinner } from '@clack/prompts'

export interface Progress {
  update(text: string): void
  /** Ends it; without a text nothing stays on the screen. */
  stop(text?: string): void
}

const line = (words: string): void => void process.stderr.write(`${words}\n`)

/** What takes long: a spinner where a person looks at stderr, plain lines elsewhere. stdout stays the answer's. */
export const startProgress = (text: string): Progress => {
  // A terminal that does not know its width (0) would get one letter a line.
  if (!process.stderr.isTTY || process.stderr.columns === 0) {
    line(`${text} …`)
    return { update: line, stop: (words) => (words === undefined ? undefined : line(words)) }
  }
  const wheel = spinner({ output: process.stderr, withGuide: false })
  wheel.start(text)
  let running = true
  return {
    update: (words) => wheel.message(words),
    stop: (words) => {
      if (!running) return
      running = false
      if (words === undefined) wheel.clear()
      else wheel.stop(words)
    },
  }
}
