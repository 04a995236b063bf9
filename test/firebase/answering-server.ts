import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'

export interface Received {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** Answers each request with the next status of the list, with the last for ever, and remembers what came. 0 is no answer at all. */
export const startAnsweringServer = async (...statuses: readonly [number, ...number[]]) => {
  const received: Received[] = []
  const server = createServer()
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request)
    const status = statuses[received.length] ?? statuses.at(-1) ?? 202
    received.push({ headers: request.headers, body })
    if (status === 0) return
    // Who follows it comes back as a second request.
    response.writeHead(status, status === 307 ? { location: '/elsewhere' } : {}).end('{}')
  }
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    answer(request, response).catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return {
    url: `http://127.0.0.1:${address.port}/v1/hooks/identity`,
    received,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
