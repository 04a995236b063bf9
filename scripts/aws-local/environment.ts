import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { FunctionRun } from './function-run.ts'
import { environmentCommand, hasOwnFolders } from './environment-command.ts'
import { IMAGE_PATH, type RunnerImage } from './images.ts'
import { FONTS } from './paths.ts'

/** What the emulator of the runtime interface answered, not yet as Lambda would put it. */
export interface RawAnswer {
  readonly status: number
  readonly body: Buffer
  /** What the function wrote meanwhile, without the emulator's own lines. */
  readonly log: string
}

/** One execution environment: AWS's emulator of the runtime interface with its runtime. Takes one event at a time. */
export interface Environment extends AsyncDisposable {
  readonly startedAt: number
  isAlive(): boolean
  invoke(event: Buffer, headers: Readonly<Record<string, string>>): Promise<RawAnswer>
}

// Free by construction: an environment has a loopback address of its own, so no other process can take its ports.
const PORTS = { invoke: 3919, runtime: 3920 }
const LOG_CHARACTERS = 256 * 1024
const CONNECT_AGAIN_MS = 5
const INVOKE_PATH = '/2015-03-31/functions/function/invocations'
const EMULATOR_LINE = /^.*\((?:rapid|rie)\).*$\n?|^(?:START|END|REPORT) RequestId: .*$\n?/gm

const ownAddress = (): string => `127.${randomInt(1, 255)}.${randomInt(0, 256)}.${randomInt(1, 255)}`

export const startEnvironment = async (
  run: FunctionRun,
  image: RunnerImage,
  endpoint: string,
): Promise<Environment> => {
  const address = ownAddress()
  const { program, args } = environmentCommand(image, run.command, [
    `--runtime-interface-emulator-address=${address}:${PORTS.invoke}`,
    `--runtime-api-address=${address}:${PORTS.runtime}`,
  ])
  const child = spawn(program, args, {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: '/',
    env: { ...variablesOf(run, image, endpoint) },
  })
  let log = ''
  const keep = (chunk: string): void => {
    log = (log + chunk).slice(-LOG_CHARACTERS)
  }
  child.stdout.setEncoding('utf8').on('data', keep)
  child.stderr.setEncoding('utf8').on('data', keep)
  let isAlive = true
  const exited = once(child, 'close').finally(() => {
    isAlive = false
  })
  exited.catch(() => {})
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const environment: Environment = {
    startedAt: Date.now(),
    isAlive: () => isAlive,
    async invoke(event, headers) {
      log = ''
      const answer = await post({ agent, address, event, headers })
      return { ...answer, log: log.replaceAll(EMULATOR_LINE, '') }
    },
    async [Symbol.asyncDispose]() {
      agent.destroy()
      if (isAlive && child.pid !== undefined) kill(child.pid)
      await exited
    },
  }
  await untilListening(address, () => isAlive)
  if (isAlive) return environment
  await environment[Symbol.asyncDispose]()
  throw new Error(`the environment of ${run.functionName} ended before it listened:\n${log}`)
}

/** Ends the first process of the namespace, and with it every other one; who started the namespace reaps it and ends. */
const kill = (pid: number): void => {
  const [inNamespace] = hasOwnFolders ? childrenOf(pid) : []
  try {
    process.kill(inNamespace ?? -pid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

const childrenOf = (pid: number): number[] => {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

const untilListening = async (host: string, isAlive: () => boolean): Promise<void> => {
  while (isAlive()) {
    const socket = connect({ host, port: PORTS.invoke })
    const isListening = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (isListening) return
    await delay(CONNECT_AGAIN_MS)
  }
}

const post = async (options: {
  agent: Agent
  address: string
  event: Buffer
  headers: Readonly<Record<string, string>>
}): Promise<{ status: number; body: Buffer }> => {
  const { agent, address, event, headers } = options
  const asked = request({
    agent,
    host: address,
    port: PORTS.invoke,
    path: INVOKE_PATH,
    method: 'POST',
    headers: { ...headers, 'content-length': event.length },
  })
  asked.end(event)
  const [response] = await once(asked, 'response')
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk)
  return { status: response.statusCode, body: Buffer.concat(chunks) }
}

const variablesOf = (run: FunctionRun, image: RunnerImage, endpoint: string): Record<string, string> => ({
  LANG: 'C.UTF-8',
  TZ: ':UTC',
  PYTHONDONTWRITEBYTECODE: '1',
  MPLBACKEND: 'Agg',
  MPLCONFIGDIR: FONTS,
  ...image.variables,
  ...run.environment,
  PATH: IMAGE_PATH,
  PYTHONPATH: image.folder,
  LAMBDA_TASK_ROOT: image.folder,
  AWS_ENDPOINT_URL: endpoint,
  AWS_REGION: run.region,
  AWS_DEFAULT_REGION: run.region,
  AWS_ACCESS_KEY_ID: run.credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: run.credentials.secretAccessKey,
  AWS_SESSION_TOKEN: run.credentials.sessionToken,
  AWS_LAMBDA_FUNCTION_NAME: run.functionName,
  AWS_LAMBDA_FUNCTION_VERSION: run.version,
  AWS_LAMBDA_FUNCTION_TIMEOUT: String(run.timeoutSeconds),
  AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(run.memoryMiB),
  AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
  ...(run.logGroup === null ? {} : { AWS_LAMBDA_LOG_GROUP_NAME: run.logGroup }),
})
