import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { Express } from 'express'
import { BerthError } from '../domain/errors.ts'
import { createMessageClasses } from '../http/message-classes.ts'
import { answerClientError } from './client-error.ts'
import type { Config } from './config.ts'

/** Above the 60 s of common load balancers, so that they and not this server close idle connections. */
const KEEP_ALIVE_MS = 65_000
const HEADERS_TIMEOUT_MS = 15_000
/** Whole requests, uploads included; JSON bodies have a shorter time of their own. */
const REQUEST_TIMEOUT_MS = 15 * 60_000
const MAX_HEADER_BYTES = 16 * 1024
const MAX_CONNECTIONS = 4096
/** How often a stopping server closes connections that have become idle. */
const CLOSE_IDLE_MS = 50

/** A server that slow and greedy peers cannot hold up. @throws {BerthError} config_invalid when the port is taken */
export const listen = async (app: Express, { host, port }: Pick<Config, 'host' | 'port'>) => {
  const server = createServer(
    {
      ...createMessageClasses(app),
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: 5000,
      maxHeaderSize: MAX_HEADER_BYTES,
      noDelay: true,
      requireHostHeader: true,
    },
    app,
  )
  server.maxConnections = MAX_CONNECTIONS
  server.on('clientError', answerClientError)
  try {
    server.listen(port, host)
    await once(server, 'listening')
  } catch (cause) {
    throw cannotListen(cause as NodeJS.ErrnoException, { host, port })
  }
  return { server, url: urlOf(server, host) }
}

const cannotListen = (cause: NodeJS.ErrnoException, { host, port }: Pick<Config, 'host' | 'port'>): BerthError => {
  const why: Partial<Record<string, string>> = {
    EADDRINUSE: `BERTH_PORT: expected a free port, got ${port}, where another program listens; stop it, or take another port (0 for any free one)`,
    EACCES: `BERTH_PORT: expected a port that this user may listen on, got ${port}; take one from 1024`,
    EADDRNOTAVAIL: `BERTH_HOST: expected an address of this machine, got ${host}`,
    ENOTFOUND: `BERTH_HOST: expected an address of this machine, got ${host}`,
  }
  const other = `BERTH_HOST and BERTH_PORT: cannot listen on ${host}:${port} (${cause.code})`
  return new BerthError('config_invalid', why[cause.code ?? ''] ?? other, { cause })
}

const urlOf = (server: Server, host: string): string => {
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** Resolves when the last connection is closed. Takes no new ones from the moment it is called. */
export const closeServer = async (server: Server, deadline: AbortSignal): Promise<void> => {
  if (!server.listening) return
  const closed = once(server, 'close')
  server.close()
  const sweep = setInterval(() => server.closeIdleConnections(), CLOSE_IDLE_MS)
  const cut = (): void => server.closeAllConnections()
  if (deadline.aborted) cut()
  deadline.addEventListener('abort', cut, { once: true })
  try {
    await closed
  } finally {
    clearInterval(sweep)
    deadline.removeEventListener('abort', cut)
  }
}
