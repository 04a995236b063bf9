import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pipeline } from 'node:stream/promises'
import type { FunctionRun } from './function-run.ts'
import { type Answer, isInvoke, MAX_PAYLOAD_BYTES, runIn, tooLarge } from './invoke.ts'

export interface Front extends AsyncDisposable {
  /** `http://127.0.0.1:<port>` */
  readonly endpoint: string
}

export interface FrontDeps {
  readonly emulatorPort: number
  readonly invoke: (run: FunctionRun, event: Buffer, headers: IncomingMessage['headers']) => Promise<Answer>
}

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
  server.listen(0, '127.0.0.1')
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

const handle = async (deps: Deps, asked: IncomingMessage, response: ServerResponse): Promise<void> => {
  if (isInvoke(asked.method, asked.url)) return handleInvoke(deps, asked, response)
  const sent = forward(deps, asked)
  const [[answer]] = await Promise.all([once(sent, 'response'), pipeline(asked, sent)])
  response.writeHead(answer.statusCode, answer.rawHeaders)
  await pipeline(answer, response)
}

const handleInvoke = async (deps: Deps, asked: IncomingMessage, response: ServerResponse): Promise<void> => {
  const event = await readAll(asked)
  if (event.length > MAX_PAYLOAD_BYTES) return send(response, tooLarge())
  const sent = forward(deps, asked)
  sent.end(event)
  const [answer] = await once(sent, 'response')
  const body = await readAll(answer)
  const run = runIn(body)
  if (run !== null) return send(response, await deps.invoke(run, event, asked.headers))
  response.writeHead(answer.statusCode, answer.rawHeaders)
  response.end(body)
}

const forward = ({ emulatorPort, agent }: Deps, asked: IncomingMessage) =>
  request({
    agent,
    host: '127.0.0.1',
    port: emulatorPort,
    method: asked.method,
    path: asked.url,
    headers: asked.rawHeaders,
    setHost: false,
  })

const readAll = async (stream: AsyncIterable<Buffer>): Promise<Buffer> => {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

const send = (response: ServerResponse, { status, headers, body }: Answer): void => {
  response.writeHead(status, { ...headers, 'content-length': body.length })
  response.end(body)
}

const fail = (response: ServerResponse, error: unknown): void => {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const message = error instanceof Error ? error.message : String(error)
  const body = Buffer.from(JSON.stringify({ Type: 'Service', message: `the stand-in failed: ${message}` }))
  send(response, { status: 500, headers: { 'x-amzn-errortype': 'ServiceException' }, body })
}
