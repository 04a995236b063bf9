import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { EMULATOR_PYTHON } from './paths.ts'

export interface Emulator extends AsyncDisposable {
  readonly port: number
  readonly pid: number
  /** What it has logged lately. */
  log(): string
}

export interface EmulatorOptions {
  readonly region: string
  /** Whether policies and signatures are enforced. */
  readonly isEnforcing: boolean
}

const LOG_CHARACTERS = 64 * 1024

/** ministack with our overlay in a process of its own, which ends when this one does. */
export const startEmulator = async ({ region, isEnforcing }: EmulatorOptions): Promise<Emulator> => {
  const child = spawn(EMULATOR_PYTHON, ['-m', 'overlay'], {
    cwd: import.meta.dirname,
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
    env: {
      PATH: process.env['PATH'],
      HOME: '/nonexistent',
      PYTHONDONTWRITEBYTECODE: '1',
      AUTH: String(isEnforcing),
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      MINISTACK_REGION: region,
      LOG_LEVEL: 'WARNING',
    },
  })
  let log = ''
  const keep = (chunk: string): void => {
    log = (log + chunk).slice(-LOG_CHARACTERS)
  }
  child.stderr.setEncoding('utf8').on('data', keep)
  const exited = once(child, 'exit')
  const port = await readPort(child.stdout, exited, () => log)
  child.stdin.on('error', () => {})
  return {
    port,
    pid: child.pid ?? 0,
    log: () => log,
    async [Symbol.asyncDispose]() {
      child.stdin.end()
      await exited
    },
  }
}

const readPort = async (
  stdout: NodeJS.ReadableStream,
  exited: Promise<unknown>,
  log: () => string,
): Promise<number> => {
  const ready = new Promise<number>((resolve) => {
    createInterface({ input: stdout }).on('line', (line) => {
      const port = /^ready (\d+)$/.exec(line)?.[1]
      if (port !== undefined) resolve(Number(port))
    })
  })
  const failed = exited.then(() => {
    throw new Error(`the emulator ended before it listened:\n${log()}`)
  })
  return Promise.race([ready, failed])
}
