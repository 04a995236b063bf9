import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import type { Clock } from '../../src/domain/ports/clock.ts'
import type { BerthEvent } from '../../src/domain/ports/events.ts'
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

export interface EmbeddedOptions {
  readonly clock: Clock
  /** Told what becomes of berths. */
  readonly say: (line: string) => void
}

export const startEmbeddedServer = async (cell: unknown, { clock, say }: EmbeddedOptions): Promise<EmbeddedServer> => {
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
  const { url } = parts.use(await compose(config, { clock, subscribers: [tellOfBerths(say)] }))
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

const tellOfBerths =
  (say: EmbeddedOptions['say']) =>
  ({ code, berthId, error }: BerthEvent): void => {
    if (!code.startsWith('berth.')) return
    say(`${code} ${berthId ?? ''}${error instanceof Error ? `: ${error.message}` : ''}`)
  }

const LOOK_MS = 1000
/** After so long the same reason is told again. */
const TELL_AGAIN_MS = 30_000

export interface Waiting {
  readonly wanted: number
  /** Statuses that mean "not yet". */
  readonly later: readonly number[]
  readonly withinMs: number
  readonly clock: Clock
  /** Told what is waited for, and why it is not there yet. */
  readonly say: (line: string) => void
  readonly signal: AbortSignal
}

/** Asks again while the answer is "later". @throws with the last answer after the time, the signal's reason */
export const untilAnswered = async (ask: () => Promise<Answer>, waiting: Waiting): Promise<Answer> => {
  const { clock, signal } = waiting
  const startedMs = clock.monotonicMs()
  const tell = tellChanges(waiting)
  for (;;) {
    signal.throwIfAborted()
    const answer = await ask()
    if (answer.status === waiting.wanted) return answer
    if (!waiting.later.includes(answer.status) || clock.monotonicMs() > startedMs + waiting.withinMs)
      throw new Error(`HTTP ${answer.status}: ${answer.text.slice(0, 500)}`)
    tell(reasonOf(answer))
    await clock.sleep(LOOK_MS, signal)
  }
}

/** A reason when it is new, and from time to time while it stays. */
const tellChanges = ({ clock, say }: Pick<Waiting, 'clock' | 'say'>): ((reason: string) => void) => {
  const startedMs = clock.monotonicMs()
  let told = { reason: '', atMs: -Infinity }
  return (reason) => {
    const nowMs = clock.monotonicMs()
    if (reason === told.reason && nowMs < told.atMs + TELL_AGAIN_MS) return
    told = { reason, atMs: nowMs }
    say(`waiting for ${Math.round((nowMs - startedMs) / 1000)} s: ${reason}`)
  }
}

const problemSchema = z.object({ code: z.string(), detail: z.string().optional() })

const reasonOf = ({ status, text }: Answer): string => {
  const problem = problemSchema.safeParse(parsed(text))
  if (!problem.success) return `HTTP ${status}`
  const { code, detail = '' } = problem.data
  return `${code}${detail === '' ? '' : `: ${detail}`}`
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
