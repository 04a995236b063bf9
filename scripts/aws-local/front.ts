import { once } from 'node:events'
import { Agent, type ClientRequest, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { type Action, actionOf, isQuery } from './action.ts'
import { type Answer, errorAnswer, internalError, throttling } from './answer.ts'
import type { Befallen, Faults } from './faults.ts'
import type { FunctionRun } from './function-run.ts'
import { isInvoke, MAX_PAYLOAD_BYTES, runIn, tooLarge } from './invoke.ts'

export interface Front extends AsyncDisposable {
  /** `http://127.0.0.1:<port>` */
  readonly endpoint: string
}

export interface FrontDeps {
  readonly emulatorPort: number
  readonly port?: number
  readonly faults: Faults
  /** Counts requests by `service:Action`. */
  readonly requests: Map<string, number>
  readonly invoke: (run: FunctionRun, event: Buffer, headers: IncomingMessage['headers']) => Promise<Answer>
  /** Answers `POST /_aws-local/control`, for whoever is not in this process. */
  readonly control: (body: Buffer) => Promise<Answer>
}

export const CONTROL_PATH = '/_aws-local/control'

/**
 * The one address that everything speaks to. Requests go on byte for byte with their Host, so that signatures stay valid; only
 * the emulator's "no Docker here" is replaced by a real run, so who may invoke what stays the emulator's decision.
 */
export const startFront = async (deps: FrontDeps): Promise<Front> => {
  const agent = new Agent({ keepAlive: true })
  const server = createServer((asked, response) => {
    handle({ ...deps, agent }, asked, response).catch((error: unknown) => fail(response, error))
  })
  server.keepAliveTimeout = 120_000
  server.listen(deps.port ?? 0, '127.0.0.1')
  await once(server, 'listening')
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
      agent.destroy()
    },
  }
}

interface Deps extends FrontDeps {
  readonly agent: Agent
}

interface Call {
  readonly asked: IncomingMessage
  readonly response: ServerResponse
  readonly action: Action
  /** The whole body where it had to be read; null while it still streams. */
  readonly body: Buffer | null
}

const handle = async (deps: Deps, asked: IncomingMessage, response: ServerResponse): Promise<void> => {
  if (asked.url === CONTROL_PATH) return send(response, await deps.control(await readAll(asked)))
  const body = isQuery(asked) || isInvoke(asked.method, asked.url) ? await readAll(asked) : null
  const form = isQuery(asked) && body !== null ? body.toString() : ''
  const action = actionOf(asked, form)
  const counted = `${action.service}:${action.name}`
  deps.requests.set(counted, (deps.requests.get(counted) ?? 0) + 1)
  const call = { asked, response, action, body }
  const befallen = deps.faults.next(action, `${decodeURIComponent(asked.url ?? '')} ${form}`)
  if (befallen !== null) return suffer(deps, call, befallen)
  if (body !== null) return answerWhole(response, await answerOf(deps, call))
  return stream(deps, call)
}

/** Nothing is kept in memory: files of tenants pass here. */
const stream = async (deps: Deps, { asked, response }: Call): Promise<void> => {
  const sent = forward(deps, asked)
  const [[answer]] = await Promise.all([once(sent, 'response'), pipeline(asked, sent)])
  response.writeHead(answer.statusCode, answer.rawHeaders)
  await pipeline(answer, response)
}

interface Whole {
  readonly status: number
  readonly headers: Answer['headers'] | readonly string[]
  readonly body: Buffer
}

const answerOf = async (deps: Deps, { asked, action, body }: Call): Promise<Whole> => {
  const content = body ?? (await readAll(asked))
  const isRun = isInvoke(asked.method, asked.url)
  if (isRun && content.length > MAX_PAYLOAD_BYTES) return tooLarge()
  const sent = forward(deps, asked)
  sent.end(content)
  const [answer] = await once(sent, 'response')
  const whole = { status: answer.statusCode, headers: answer.rawHeaders, body: await readAll(answer) }
  const run = isRun && action.name === 'Invoke' ? runIn(whole.body) : null
  return run === null ? whole : deps.invoke(run, content, asked.headers)
}

const suffer = async (deps: Deps, call: Call, { fault, released }: Befallen): Promise<void> => {
  const { response, action } = call
  switch (fault.kind) {
    case 'throttle':
      return send(response, errorAnswer(action.protocol, throttling(action.protocol)))
    case 'internal_error':
      return send(response, errorAnswer(action.protocol, internalError(action.protocol)))
    case 'error':
      return send(response, errorAnswer(action.protocol, fault.error))
    case 'reset':
      return reset(response)
    case 'lose_answer':
      await answerOf(deps, call)
      return reset(response)
    case 'truncate':
      return truncate(response, await answerOf(deps, call))
    case 'hold':
      await released
      return answerWhole(response, await answerOf(deps, call))
    case 'delay':
      await delay(fault.ms)
      return answerWhole(response, await answerOf(deps, call))
    default:
      return fault satisfies never
  }
}

const reset = (response: ServerResponse): void => void response.socket?.resetAndDestroy()

/** Half of the body under the length of the whole. */
const truncate = (response: ServerResponse, { status, headers, body }: Whole): void => {
  response.writeHead(status, { ...contentTypeOf(headers), 'content-length': body.length })
  response.write(body.subarray(0, Math.floor(body.length / 2)), () => response.destroy())
}

const contentTypeOf = (headers: Whole['headers']): Record<string, string> => {
  const pairs = Array.isArray(headers) ? headers : Object.entries(headers).flat()
  const at = pairs.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === 'content-type')
  return at === -1 ? {} : { 'content-type': pairs[at + 1] ?? '' }
}

const forward = ({ emulatorPort, agent }: Deps, asked: IncomingMessage): ClientRequest =>
  request({
    agent,
    host: '127.0.0.1',
    port: emulatorPort,
    method: asked.method,
    path: asked.url,
    // Nothing here speaks TLS, on which the bucket's policy insists. The header is none that a signature covers.
    headers: [...asked.rawHeaders, 'x-forwarded-proto', 'https'],
    setHost: false,
  })

const readAll = async (stream: AsyncIterable<Buffer>): Promise<Buffer> => {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

const answerWhole = (response: ServerResponse, whole: Whole): void => {
  if (!Array.isArray(whole.headers)) return send(response, whole as Answer)
  response.writeHead(whole.status, whole.headers)
  response.end(whole.body)
}

const send = (response: ServerResponse, { status, headers, body }: Answer): void => {
  // What still streams in is read and dropped, or the connection could not be used again.
  response.req.resume()
  response.writeHead(status, { ...headers, 'content-length': body.length })
  response.end(body)
}

const fail = (response: ServerResponse, error: unknown): void => {
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  const message = `the stand-in failed: ${error instanceof Error ? error.message : String(error)}`
  send(response, errorAnswer('lambda', { status: 500, code: 'ServiceException', message }))
}
