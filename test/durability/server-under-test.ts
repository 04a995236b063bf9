import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { randomBytes } from 'node:crypto'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { bareEnvironment } from '../support/bare-environment.ts'
import { freePort } from '../../scripts/free-port.ts'
import { LIGHT_PYTHON } from '../support/light-python.ts'

const root = resolve(import.meta.dirname, '../..')

export interface ServerUnderTest extends AsyncDisposable {
  readonly url: string
  /** Of its process in this life. */
  readonly pid: number
  readonly operatorKey: string
  readonly hookSecret: string
  /** Resolves when the server takes requests. */
  start(): Promise<void>
  /** SIGTERM: it ends by itself. */
  end(): Promise<void>
  /** SIGKILL: no handler runs, nothing is flushed. */
  kill(): Promise<void>
}

const base32Key = (): string =>
  `berth_${Array.from(randomBytes(32), (byte) => 'abcdefghijklmnopqrstuvwxyz234567'[byte % 32]).join('')}`

interface Program {
  /** What Node starts. @default `berth serve` */
  readonly program?: readonly string[]
  /** Told every line of its log, at once. */
  readonly onLine?: (line: string) => void
}

/** A real `berth serve` in its own process, on one port over all its lives. */
export const createServerUnderTest = async (
  env: Readonly<Record<string, string>>,
  { program = ['src/cli/berth.ts', 'serve'], onLine = () => undefined }: Program = {},
): Promise<ServerUnderTest> => {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const operatorKey = base32Key()
  const hookSecret = `whsec_${randomBytes(32).toString('base64')}`
  let child: ChildProcessByStdio<null, Readable, Readable> | null = null
  let log = ''

  const start = async (): Promise<void> => {
    log = ''
    child = spawn(process.execPath, program, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...bareEnvironment(),
        BERTH_PORT: String(port),
        BERTH_OPERATOR_KEY: operatorKey,
        BERTH_HOOK_SECRETS: hookSecret,
        BERTH_PYTHON: LIGHT_PYTHON.path,
        ...env,
      },
    })
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        log = (log + text).slice(-20_000)
      })
    }
    createInterface({ input: child.stdout, crlfDelay: Infinity }).on('line', onLine)
    await isReady(child)
  }

  const isReady = async (started: ChildProcessByStdio<null, Readable, Readable>): Promise<void> => {
    for (let tries = 0; tries < 2400; tries += 1) {
      if (started.exitCode !== null) throw new Error(`the server ended with ${started.exitCode}:\n${log}`)
      const answer = await fetch(`${url}/ready`).catch(() => null)
      if (answer?.ok === true) return
      await delay(50)
    }
    throw new Error(`the server is not ready after two minutes:\n${log}`)
  }

  const send = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }
  const kill = () => send('SIGKILL')

  return {
    url,
    operatorKey,
    hookSecret,
    get pid() {
      return child?.pid ?? 0
    },
    start,
    end: () => send('SIGTERM'),
    kill,
    [Symbol.asyncDispose]: kill,
  }
}
