import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { createFrameReader, encodeFrame } from './frames.ts'
import { type RunnerConfig, type RunnerMessage, parseRunnerMessage } from './runner-messages.ts'

export interface RunnerCommand {
  readonly python: string
  /** Folder that holds the package `berth_runner`. */
  readonly runnerDir: string
  /** What the runner calls itself in replies. */
  readonly image: string
  readonly config: RunnerConfig
}

export interface RunnerExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** The last lines of stderr. */
  readonly stderrTail: readonly string[]
}

export interface RunnerChildHandlers {
  readonly onMessage: (message: RunnerMessage) => void
  readonly onLog: (line: string) => void
}

/** One life of the runner process. */
export interface RunnerChild {
  readonly pid: number
  /** Resolves once, when the process is gone and its pipes are closed. */
  readonly exited: Promise<RunnerExit>
  send(message: unknown): void
  /** Kills the process and its whole group at once. */
  kill(): void
  /** Ends its stdin so that it leaves by itself; kills it after `graceMs`. */
  stop(graceMs: number): Promise<void>
}

const TAIL_LINES = 20
const MAX_LINE_CHARACTERS = 4096

// Only what Python needs: the server's own environment may hold secrets, and the runner starts hostile code.
const cleanEnv = ({ runnerDir, image }: RunnerCommand): NodeJS.ProcessEnv => ({
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LANG: 'C.UTF-8',
  PYTHONPATH: runnerDir,
  PYTHONNOUSERSITE: '1',
  BERTH_RUNNER_IMAGE: image,
})

type Process = ChildProcessByStdio<Writable, Readable, Readable>

const killGroup = (pid: number): void => {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // ESRCH: it is gone already, which is what was wanted.
  }
}

const followStderr = (child: Process, onLog: (line: string) => void): readonly string[] => {
  const tail: string[] = []
  createInterface({ input: child.stderr, crlfDelay: Infinity }).on('line', (line) => {
    const text = line.slice(0, MAX_LINE_CHARACTERS)
    tail.push(text)
    if (tail.length > TAIL_LINES) tail.shift()
    onLog(text)
  })
  return tail
}

/** What it wrote last is read within it. */
const LAST_WORDS_MS = 5_000

/** A process that it has forked may hold its pipes for ever. */
const cutPipes = (child: Process): void => {
  const cut = (): void => {
    child.stdout.destroy()
    child.stderr.destroy()
  }
  setTimeout(cut, LAST_WORDS_MS).unref()
}

const waitForExit = async (child: Process, stderrTail: readonly string[]): Promise<RunnerExit> => {
  if (child.pid === undefined) {
    const [error] = (await once(child, 'error')) as [Error]
    return { code: null, signal: null, stderrTail: [error.message] }
  }
  const { pid } = child
  child.once('exit', () => {
    killGroup(pid)
    cutPipes(child)
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  return { code, signal, stderrTail }
}

const followStdout = (child: Process, onMessage: (message: RunnerMessage) => void): void => {
  const reader = createFrameReader((json) => onMessage(parseRunnerMessage(json)))
  child.stdout.on('data', (chunk: Buffer) => {
    try {
      reader.push(chunk)
    } catch {
      // What follows a broken frame can't be told apart any more; its exit fails the runs that were under way.
      child.stdout.destroy()
      if (child.pid !== undefined) killGroup(child.pid)
    }
  })
}

/** Starts the runner in a process group of its own: a Ctrl-C at the server must not take it down before runs have drained. */
export const spawnRunner = (command: RunnerCommand, handlers: RunnerChildHandlers): RunnerChild => {
  const child = spawn(command.python, ['-m', 'berth_runner.local', JSON.stringify(command.config)], {
    cwd: command.runnerDir,
    env: cleanEnv(command),
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  })
  // A write after its death fails with EPIPE; `exited` tells the same, once.
  child.stdin.on('error', () => {})
  const exited = waitForExit(child, followStderr(child, handlers.onLog))
  followStdout(child, handlers.onMessage)
  const pid = child.pid ?? 0
  const kill = () => {
    if (pid > 0) killGroup(pid)
  }
  return {
    pid,
    exited,
    send: (message) => void child.stdin.write(encodeFrame(message)),
    kill,
    async stop(graceMs) {
      child.stdin.end()
      const timer = setTimeout(kill, graceMs)
      await exited
      clearTimeout(timer)
      // Whatever it left in its group.
      kill()
    },
  }
}
