import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { bareEnvironment } from '../support/bare-environment.ts'

/** Of util-linux: part of the system and of no package, which is why knip is not to know it. */
const maker = 'script'
const entry = join(import.meta.dirname, '../../src/cli/berth.ts')

/** Why no terminal can be made here, or null. `script` is part of every Debian and Ubuntu. */
export const whyNoTerminal = (): string | null =>
  spawnSync(maker, ['--version']).status === 0 ? null : 'script (Debian: bsdutils) is not installed'

export const CTRL_C = '\u0003'

const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`

/** What a person sees, without colours and movements of the cursor. */
// oxlint-disable-next-line no-control-regex
const plain = (text: string): string => text.replace(/\u001B\[[0-9;?]*[A-Za-z]/g, '')

/** The command line at a terminal, of 120 columns unless said otherwise, where a person types. */
export const berthOnTerminal = (args: readonly string[], env: Readonly<Record<string, string>> = {}, columns = 120) => {
  const command = [`stty cols ${columns} rows 40;`, 'exec', ...[process.execPath, entry, ...args].map(quoted)].join(' ')
  const child = spawn(maker, ['--quiet', '--return', '--command', command, '/dev/null'], {
    env: { ...bareEnvironment(), TERM: 'xterm', ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const closed = once(child, 'close')
  let seen = ''
  const watchers = new Set<() => void>()
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    seen += text
    for (const watch of watchers) watch()
  })
  return {
    /** Resolves when the words are on the screen. */
    shows: (words: string) =>
      new Promise<void>((resolve, reject) => {
        const watch = (): void => {
          if (!plain(seen).includes(words)) return
          watchers.delete(watch)
          resolve()
        }
        watchers.add(watch)
        watch()
        closed.then(() => reject(new Error(`ended without "${words}": ${plain(seen)}`)), reject)
      }),
    type: (keys: string) => void child.stdin.write(keys),
    ended: async () => {
      const [code] = await closed
      return { code: code as number | null, screen: plain(seen), raw: seen }
    },
  }
}
