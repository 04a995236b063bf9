import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../../src/domain/ports/clock.ts'
import type { BerthEvent } from '../../src/domain/ports/events.ts'
import { compose, type Composed } from '../../src/main/compose.ts'
import { parseConfig } from '../../src/main/config.ts'
import { LIGHT_PYTHON } from './light-python.ts'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  // A test says what it expects of the body; the compiler need not.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any
  readonly text: string
}

export interface CallOptions {
  /** Bearer token; null for none. */
  readonly key?: string | null
  readonly tenant?: string
  readonly json?: unknown
  readonly body?: NonNullable<RequestInit['body']>
  readonly headers?: Record<string, string>
  readonly signal?: AbortSignal
}

export interface RunningServer extends AsyncDisposable {
  readonly composed: Composed
  readonly url: string
  readonly dataDir: string
  readonly operatorKey: string
  /** Key of a service that acts for the tenants of the project `demo`. */
  readonly serviceKey: string
  readonly events: readonly BerthEvent[]
  fetch(method: string, path: string, options?: CallOptions): Promise<Response>
  call(method: string, path: string, options?: CallOptions): Promise<Answer>
  /** As the service, for this tenant. */
  as(tenant: string): (method: string, path: string, options?: CallOptions) => Promise<Answer>
  operator(method: string, path: string, options?: CallOptions): Promise<Answer>
}

const headersOf = (options: CallOptions): Record<string, string> => ({
  ...(options.key !== null && options.key !== undefined && { Authorization: `Bearer ${options.key}` }),
  ...(options.tenant !== undefined && { 'Berth-Tenant': encodeURIComponent(options.tenant) }),
  ...(options.json !== undefined && { 'Content-Type': 'application/json' }),
  ...options.headers,
})

const parseBody = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** The whole server on a free port: real store, real services, real local backend, and a runner without libraries. */
export const startServer = async (
  env: Readonly<Record<string, string>> = {},
  { clock }: { readonly clock?: Clock } = {},
): Promise<RunningServer> => {
  const dataDir = await mkdtemp(join(tmpdir(), 'berth-http-'))
  const events: BerthEvent[] = []
  const config = parseConfig({
    BERTH_PORT: '0',
    BERTH_DATA_DIR: dataDir,
    BERTH_LOG_LEVEL: 'silent',
    BERTH_SPARES: '1',
    BERTH_SHUTDOWN_SECONDS: '5',
    BERTH_LOCAL_SPARES: '1',
    BERTH_LOCAL_NODE_SPARES: '0',
    BERTH_PYTHON: LIGHT_PYTHON.path,
    ...env,
  })
  const composed = await compose(config, {
    subscribers: [(event) => events.push(event)],
    ...(clock !== undefined && { clock }),
  })
  const send: RunningServer['fetch'] = (method, path, options = {}) =>
    fetch(`${composed.url}${path}`, {
      method,
      headers: headersOf(options),
      redirect: 'manual',
      ...(options.json !== undefined && { body: JSON.stringify(options.json) }),
      ...(options.body !== undefined && { body: options.body, duplex: 'half' }),
      ...(options.signal !== undefined && { signal: options.signal }),
    })
  const call: RunningServer['call'] = async (method, path, options) => {
    const response = await send(method, path, options)
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: parseBody(text), text }
  }
  const operatorKey = env['BERTH_OPERATOR_KEY'] ?? (await readFile(join(dataDir, 'operator.key'), 'utf8')).trim()
  const made = await call('POST', '/v1/keys', { key: operatorKey, json: { name: 'test', project: 'demo' } })
  const serviceKey = String(made.body.secret)
  return {
    composed,
    url: composed.url,
    dataDir,
    operatorKey,
    serviceKey,
    events,
    fetch: send,
    call,
    as: (tenant) => (method, path, options) => call(method, path, { key: serviceKey, tenant, ...options }),
    operator: (method, path, options) => call(method, path, { key: operatorKey, ...options }),
    async [Symbol.asyncDispose]() {
      await composed[Symbol.asyncDispose]()
      await rm(dataDir, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}
