import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { compose } from '../../src/main/compose.ts'
import { parseConfig } from '../../src/main/config.ts'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

export interface Caller {
  (method: string, path: string, options?: { readonly json?: unknown; readonly body?: string }): Promise<Answer>
}

/** A whole server in this process, with a store that ends with it. */
export interface EmbeddedServer extends AsyncDisposable {
  readonly operator: Caller
  as(uid: string): Caller
}

const callerWith =
  (url: string, key: Readonly<Record<string, string>>): Caller =>
  async (method, path, { json, body } = {}) => {
    const sent = json === undefined ? body : JSON.stringify(json)
    const headers = { ...key, ...(json === undefined ? {} : { 'Content-Type': 'application/json' }) }
    const response = await fetch(`${url}${path}`, {
      method,
      headers,
      redirect: 'manual',
      ...(sent === undefined ? {} : { body: sent }),
    })
    return { status: response.status, headers: response.headers, text: await response.text() }
  }

export const operatorKey = (): string =>
  `berth_${[...randomBytes(32)].map((byte) => 'abcdefghijklmnopqrstuvwxyz234567'.charAt(byte & 31)).join('')}`

export const startEmbeddedServer = async (cell: unknown): Promise<EmbeddedServer> => {
  await using parts = new AsyncDisposableStack()
  const dataDir = await mkdtemp(join(tmpdir(), 'berth-smoke-'))
  parts.defer(() => rm(dataDir, { recursive: true, force: true }))
  const key = operatorKey()
  const config = parseConfig({
    BERTH_PORT: '0',
    BERTH_DATA_DIR: dataDir,
    BERTH_LOG_LEVEL: 'silent',
    BERTH_BACKEND: 'lambda',
    BERTH_CELLS: JSON.stringify([cell]),
    BERTH_SPARES: '0',
    BERTH_SHUTDOWN_SECONDS: '5',
    BERTH_OPERATOR_KEY: key,
  })
  const { url } = parts.use(await compose(config))
  const operator = callerWith(url, { Authorization: `Bearer ${key}` })
  const made = await operator('POST', '/v1/keys', { json: { name: 'smoke', role: 'service', project: 'smoke' } })
  const { secret } = z.object({ secret: z.string() }).parse(JSON.parse(made.text))
  const owned = parts.move()
  return {
    operator,
    as: (uid) => callerWith(url, { Authorization: `Bearer ${secret}`, 'Berth-Tenant': uid }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

const LOOK_MS = 1000

/** Asks again while the answer is "later". @throws with the last answer after the time, the signal's reason */
export const untilAnswered = async (
  ask: () => Promise<Answer>,
  {
    wanted,
    later,
    withinMs,
    signal,
  }: { wanted: number; later: readonly number[]; withinMs: number; signal: AbortSignal },
): Promise<Answer> => {
  const giveUpAt = performance.now() + withinMs
  for (;;) {
    signal.throwIfAborted()
    const answer = await ask()
    if (answer.status === wanted) return answer
    if (!later.includes(answer.status) || performance.now() > giveUpAt)
      throw new Error(`HTTP ${answer.status}: ${answer.text.slice(0, 500)}`)
    await delay(LOOK_MS, undefined, { signal })
  }
}
