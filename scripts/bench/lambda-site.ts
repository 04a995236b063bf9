import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { defaultRunLimits } from '../../src/domain/limits.ts'
import { createRandomIds } from '../../src/main/random-ids.ts'
import { createSystemClock } from '../../src/main/system-clock.ts'
import { signHook } from '../signed-hook.ts'
import { INSTANT_PRINTS } from './instant-aws.ts'
import { createJsonClient, type JsonClient } from './json-client.ts'
import { pythonOneLiner } from './programs.ts'
import { startToldProcess } from './told-process.ts'

const PROJECT = 'bench'
const REGION = 'eu-west-1'

/** A server on backend `lambda` and the stand-in behind it, each a process of its own. This one holds the clients. */
export interface LambdaSite extends AsyncDisposable {
  /** Waits until so many berths were made ready, all told. */
  berthsReady(count: number): Promise<void>
  signUp(): Promise<string>
  /** POST /v1/runs with a bearer token. @throws when it does not succeed */
  run(uid: string): Promise<void>
  /** The same event from the bare SDK to the same stand-in. @throws when it does not succeed */
  invoke(): Promise<void>
}

/** Variables with which any SDK client speaks to the stand-in. */
export const instantAwsEnv = (port: number): Readonly<Record<string, string>> => ({
  AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
  AWS_REGION: REGION,
  AWS_ACCESS_KEY_ID: 'bench',
  AWS_SECRET_ACCESS_KEY: 'bench',
})

export const startInstantAws = () =>
  startToldProcess('instant-aws-process.ts', {
    env: {},
    isWord: (word): word is { port: number } => typeof word === 'object' && word !== null && 'port' in word,
  })

const startServer = (env: Readonly<Record<string, string>>) =>
  startToldProcess('lambda-server-process.ts', {
    env,
    isWord: (word): word is { url: string } => typeof word === 'object' && word !== null && 'url' in word,
  })

const settings = (spares: number) => ({
  BERTH_PORT: '0',
  BERTH_LOG_LEVEL: 'error',
  BERTH_BACKEND: 'lambda',
  BERTH_CELLS: JSON.stringify([{ name: 'bench', region: REGION }]),
  // A few tenants do here what thousands do elsewhere.
  BERTH_RATE_PER_MINUTE: '1000000',
  BERTH_CONCURRENCY_PER_TENANT: '32',
  BERTH_SPARES: String(spares),
})

const signUpWith = (client: JsonClient, secret: string) => async (): Promise<string> => {
  const uid = randomUUID()
  const event = signHook({ secret, payload: { type: 'user.created', data: { project: PROJECT, uid } } })
  const { status } = await client({ method: 'POST', path: '/v1/hooks/identity', ...event })
  if (status !== 202) throw new Error(`A sign-up was answered with ${status}`)
  return uid
}

const runWith = (client: JsonClient, key: string) => {
  const { language, code } = pythonOneLiner
  const body = JSON.stringify({ language, code })
  return async (uid: string): Promise<void> => {
    const headers = { Authorization: `Bearer ${key}`, 'Berth-Tenant': uid }
    const answer = await client({ method: 'POST', path: '/v1/runs', headers, body })
    const run = answer.body as { status?: string; logs?: { stdout: string } }
    if (run.status !== 'succeeded' || run.logs?.stdout.includes(INSTANT_PRINTS) !== true)
      throw new Error(JSON.stringify(run))
  }
}

/** What Berth sends for the same run, word for word but for the id. */
const eventOf = (runId: string) => ({
  protocol: 1,
  kind: 'run',
  runId,
  language: pythonOneLiner.language,
  code: pythonOneLiner.code,
  variables: {},
  files: [],
  profile: 'default',
  limits: defaultRunLimits,
  minRunnerVersion: 0,
  prefix: { kind: 's3', bucket: 'berth-bench', files: 'berths/b/files/', run: `berths/b/runs/${runId}/` },
})

/** The SDK as anyone uses it: one try, connections kept, the rest from the same variables that the server reads. */
const bareInvoke = (port: number) => {
  Object.assign(process.env, instantAwsEnv(port))
  const ids = createRandomIds(createSystemClock())
  const client = new LambdaClient({
    maxAttempts: 1,
    requestHandler: new NodeHttpHandler({ httpAgent: { keepAlive: true, maxSockets: 512 } }),
  })
  const once = async (): Promise<void> => {
    const runId = ids.runId()
    const Payload = Buffer.from(JSON.stringify(eventOf(runId)))
    const output = await client.send(new InvokeCommand({ FunctionName: 'berth-bench', Payload }))
    const reply = JSON.parse(output.Payload?.transformToString() ?? '') as { runId: string }
    if (reply.runId !== runId) throw new Error('The stand-in answered for another run')
  }
  return { once, close: () => client.destroy() }
}

const counter = () => {
  let count = 0
  const waiting = new Set<{ readonly count: number; readonly resolve: () => void }>()
  return {
    add: () => {
      count += 1
      for (const one of waiting) if (count >= one.count) one.resolve()
    },
    reached: (wanted: number): Promise<void> => {
      if (count >= wanted) return Promise.resolve()
      const { promise, resolve } = Promise.withResolvers<void>()
      waiting.add({ count: wanted, resolve })
      return promise
    },
  }
}

const makeKey = async (client: JsonClient, operatorKey: string): Promise<string> => {
  const headers = { Authorization: `Bearer ${operatorKey}` }
  const body = JSON.stringify({ name: 'bench', role: 'service', project: PROJECT })
  const { body: made } = await client({ method: 'POST', path: '/v1/keys', headers, body })
  return (made as { secret: string }).secret
}

export const startLambdaSite = async ({ spares }: { readonly spares: number }): Promise<LambdaSite> => {
  await using parts = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'berth-bench-'))
  parts.defer(() => rm(folder, { recursive: true, force: true }))
  const { port } = parts.use(await startInstantAws()).word
  const secret = `whsec_${randomBytes(32).toString('base64')}`
  const operatorKey = `berth_${[...randomBytes(32)].map((byte) => 'abcdefghijklmnopqrstuvwxyz234567'.charAt(byte & 31)).join('')}`
  const server = parts.use(
    await startServer({
      ...settings(spares),
      ...instantAwsEnv(port),
      BERTH_DATA_DIR: join(folder, 'berth'),
      BERTH_OPERATOR_KEY: operatorKey,
      BERTH_HOOK_SECRETS: secret,
    }),
  )
  const ready = counter()
  server.onWord((word) => typeof word === 'object' && word !== null && 'ready' in word && ready.add())
  const client = createJsonClient(Number(new URL(server.word.url).port))
  parts.defer(client.close)
  const bare = bareInvoke(port)
  parts.defer(bare.close)
  const key = await makeKey(client, operatorKey)
  const owned = parts.move()
  return {
    berthsReady: ready.reached,
    signUp: signUpWith(client, secret),
    run: runWith(client, key),
    invoke: bare.once,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
