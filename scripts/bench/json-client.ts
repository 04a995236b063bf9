import { Agent, type IncomingMessage, request as startRequest } from 'node:http'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'

export interface JsonRequest {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export interface JsonClient {
  (request: JsonRequest): Promise<{ readonly status: number; readonly body: unknown }>
  close(): void
}

/** Kept connections and nothing else: what the client itself costs must not hide what the server costs. */
export const createJsonClient = (port: number): JsonClient => {
  const agent = new Agent({ keepAlive: true })
  const send = async ({ method, path, headers = {}, body = '' }: JsonRequest) => {
    const length = body === '' ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) }
    const outgoing = startRequest({ host: '127.0.0.1', port, agent, method, path, headers: { ...headers, ...length } })
    outgoing.end(body)
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
    const answer = await text(response)
    return { status: response.statusCode ?? 0, body: answer === '' ? null : (JSON.parse(answer) as unknown) }
  }
  return Object.assign(send, { close: () => agent.destroy() })
}
