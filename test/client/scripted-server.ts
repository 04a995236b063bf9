import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

export interface Received {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export type Step = (response: ServerResponse, request: Received) => void | Promise<void>

/** A real HTTP server that answers the first request with the first step, and so on; the last step answers the rest. */
export const startScriptedServer = async (steps: readonly Step[]) => {
  const received: Received[] = []
  // No connection is closed for its rest: a client that has just taken it up again would not be answered.
  const server = createServer({ keepAliveTimeout: 0 }, (request, response) => {
    const step = steps[Math.min(received.length, steps.length - 1)]
    const entry = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body: '' }
    const index = received.push(entry) - 1
    const answer = async (): Promise<void> => {
      const whole = { ...entry, body: await text(request) }
      received[index] = whole
      await step?.(response, whole)
    }
    // A request that breaks off has nobody to answer.
    answer().catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    baseUrl: `http://127.0.0.1:${port}`,
    received: received as readonly Received[],
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

export const json =
  (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Step =>
  (response) =>
    void response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(body))

export const problem = (status: number, code: string, headers: Readonly<Record<string, string>> = {}): Step =>
  json(
    status,
    { code, detail: `detail of ${code}`, remedy: `remedy of ${code}`, requestId: 'q1', errors: [] },
    { 'Content-Type': 'application/problem+json', ...headers },
  )

/** Cuts the connection, after `begin` if there is one. */
export const reset =
  (begin?: (response: ServerResponse) => void): Step =>
  (response) => {
    begin?.(response)
    // What was written must leave before the socket dies.
    setImmediate(() => response.socket?.destroy())
  }
