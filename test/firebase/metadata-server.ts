import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

interface Asked {
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly flavor: string | undefined
}

/** Google's metadata server as far as it gives ID tokens: plain HTTP, and only to who says that they know where they are. */
export const startMetadataServer = async (tokenFor: (audience: string) => Promise<string>) => {
  const asked: Asked[] = []
  const server = createServer()
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname: path, searchParams } = new URL(request.url ?? '', 'http://metadata')
    const flavor = request.headers['metadata-flavor']?.toString()
    asked.push({ path, query: Object.fromEntries(searchParams), flavor })
    if (flavor !== 'Google') return void response.writeHead(403).end()
    response.end(await tokenFor(searchParams.get('audience') ?? ''))
  }
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    answer(request, response).catch(() => response.writeHead(503).end())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the metadata server has no port')
  return {
    host: `127.0.0.1:${address.port}`,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
