import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../free-port.ts'
import { signHook } from '../signed-hook.ts'
import { type JsonClient, createJsonClient } from './json-client.ts'

const PROJECT = 'bench'
const START_TIMEOUT_MS = 60_000
const serverProcess = join(import.meta.dirname, 'server-process.ts')

/** A server in a process of its own, as a customer runs it. */
export interface ApiServer extends AsyncDisposable {
  /** Sends the signed hook of a new user and returns the uid. */
  signUp(): Promise<string>
  /** One run for a tenant, with a bearer key. @throws when it does not succeed with what the program prints */
  run(uid: string, program: { language: string; code: string; prints: string }): Promise<void>
}

const base32 = (length: number): string =>
  Array.from(randomBytes(length), (byte) => 'abcdefghijklmnopqrstuvwxyz234567'.charAt(byte & 31)).join('')

const startProcess = (dataDir: string, settings: Record<string, string>): ChildProcess =>
  spawn(process.execPath, [serverProcess], {
    env: {
      PATH: '/usr/local/bin:/usr/bin:/bin',
      BERTH_DATA_DIR: dataDir,
      BERTH_LOG_LEVEL: 'error',
      // One tenant does here what a whole fleet of them does elsewhere.
      BERTH_RATE_PER_MINUTE: '1000000',
      BERTH_CONCURRENCY_PER_TENANT: '32',
      BERTH_SPARES: '8',
      // As many as the backend alone has by default.
      BERTH_LOCAL_SPARES: '2',
      BERTH_LOCAL_NODE_SPARES: '2',
      ...settings,
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  })

const whenReady = async (client: JsonClient, server: ChildProcess): Promise<void> => {
  const endAt = performance.now() + START_TIMEOUT_MS
  while (performance.now() < endAt && server.exitCode === null) {
    const { status } = await client({ method: 'GET', path: '/ready' }).catch(() => ({ status: 0 }))
    if (status === 200) return
    await sleep(100)
  }
  throw new Error('The server did not become ready')
}

const expectStatus = (got: { status: number; body: unknown }, wanted: number): void => {
  if (got.status !== wanted) throw new Error(`Expected HTTP ${wanted}, got ${got.status}: ${JSON.stringify(got.body)}`)
}

const makeKey = async (client: JsonClient, operatorKey: string): Promise<string> => {
  const headers = { Authorization: `Bearer ${operatorKey}` }
  const body = { name: 'bench', role: 'service', project: PROJECT }
  const answer = await client({ method: 'POST', path: '/v1/keys', headers, body: JSON.stringify(body) })
  expectStatus(answer, 201)
  return (answer.body as { secret: string }).secret
}

const signUpWith = (client: JsonClient, secret: string) => async (): Promise<string> => {
  const uid = randomUUID()
  const event = signHook({ secret, payload: { type: 'user.created', data: { project: PROJECT, uid } } })
  expectStatus(await client({ method: 'POST', path: '/v1/hooks/identity', ...event }), 202)
  return uid
}

const runWith =
  (client: JsonClient, key: string): ApiServer['run'] =>
  async (uid, { language, code, prints }) => {
    const headers = { Authorization: `Bearer ${key}`, 'Berth-Tenant': uid }
    const answer = await client({ method: 'POST', path: '/v1/runs', headers, body: JSON.stringify({ language, code }) })
    expectStatus(answer, 200)
    const run = answer.body as { status: string; logs: { stdout: string } }
    if (run.status !== 'succeeded' || !run.logs.stdout.includes(prints)) throw new Error(JSON.stringify(run))
  }

export const startApiServer = async (): Promise<ApiServer> => {
  const folder = await mkdtemp(join(tmpdir(), 'berth-bench-'))
  const port = await freePort()
  const operatorKey = `berth_${base32(32)}`
  const hookSecret = `whsec_${randomBytes(32).toString('base64')}`
  const server = startProcess(join(folder, 'berth'), {
    BERTH_PORT: String(port),
    BERTH_OPERATOR_KEY: operatorKey,
    BERTH_HOOK_SECRETS: hookSecret,
  })
  const client = createJsonClient(port)
  const stop = async () => {
    client.close()
    if (server.exitCode === null && server.kill('SIGTERM')) await once(server, 'exit')
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await whenReady(client, server)
    const key = await makeKey(client, operatorKey)
    return { signUp: signUpWith(client, hookSecret), run: runWith(client, key), [Symbol.asyncDispose]: stop }
  } catch (error) {
    await stop()
    throw error
  }
}
