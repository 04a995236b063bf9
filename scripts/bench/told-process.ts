import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

export interface ToldProcess<Word> extends AsyncDisposable {
  /** The first thing that it tells. */
  readonly word: Word
  onWord(listener: (word: unknown) => void): void
}

/** Starts a program of this folder and waits for its first word. @throws when it ends before that */
export const startToldProcess = async <Word>(
  file: string,
  { env, isWord }: { env: Readonly<Record<string, string>>; isWord: (word: unknown) => word is Word },
): Promise<ToldProcess<Word>> => {
  const child = fork(join(import.meta.dirname, file), {
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', ...env },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null && child.kill('SIGTERM')) await once(child, 'exit')
  }
  const first = Promise.withResolvers<Word>()
  child.on('message', (word) => isWord(word) && first.resolve(word))
  child.once('exit', (code) => first.reject(new Error(`${file} ended with ${code}`)))
  const word = await first.promise
  return { word, onWord: (listener) => void child.on('message', listener), [Symbol.asyncDispose]: stop }
}
