import express, { type Express, type Request, type RequestHandler, type Response } from 'express'
import { BerthError, isBerthError, toldToTenants } from '../domain/errors.ts'
import { createAuthenticator, type Authenticator } from './authenticate.ts'
import { docsPages } from './docs-pages.ts'
import type { HttpDeps, HttpOptions } from './http-deps.ts'
import { createOpenApi } from './openapi.ts'
import type { Operation } from './operation.ts'
import { artifactOperations } from './operations/artifacts.ts'
import { fileOperations } from './operations/files.ts'
import { hookOperations } from './operations/hooks.ts'
import { keyOperations } from './operations/keys.ts'
import { runOperations } from './operations/runs.ts'
import { selfOperations } from './operations/self.ts'
import { serverOperations } from './operations/server.ts'
import { tenantOperations } from './operations/tenants.ts'
import { createProblem, problemHeaders, toBerthError } from './problem.ts'
import { isTraceparent, requestIdOf, type RequestContext } from './request-context.ts'
import { securityHeaders } from './security-headers.ts'
import { sendJson } from './send.ts'
import { assertMayProvision } from './sign-up-policy.ts'
import { createSourceLimiter } from './source-limiter.ts'

/** The API as a request listener. */
export const createApp = (deps: HttpDeps, options: HttpOptions): Express => {
  const app = express()
  app.disable('x-powered-by').disable('etag').disable('query parser')
  app.enable('strict routing').enable('case sensitive routing')
  app.set('trust proxy', options.trustProxyHops)
  const strangers = createSourceLimiter({ clock: deps.clock, ratePerMinute: options.strangerRatePerMinute ?? 120 })
  const authenticate = createAuthenticator(deps.identity, strangers)
  const operations = allOperations(deps, options, strangers)

  app.use(securityHeaders())
  for (const operation of operations)
    app[operation.method](expressPath(operation.path), handlerOf(deps, operation, authenticate))
  const document = createOpenApi(operations, options.version)
  app.get('/openapi.json', (_request, response) => sendJson(response, 200, document))
  for (const { path, html, policy } of docsPages(document)) app.get(path, sendPage(html, policy))
  for (const [path, allow] of allowedMethods(operations)) app.all(path, refuseMethod(deps, allow))
  app.use((request, response) => {
    fail(
      { deps, request, response },
      new BerthError('not_found', `There is no route ${request.method} ${request.path.slice(0, 200)}.`),
    )
  })
  // Express tells an error handler by its four parameters.
  // oxlint-disable-next-line max-params
  app.use((error: unknown, request: Request, response: Response, _next: unknown) => {
    fail({ deps, request, response }, fromExpress(error))
  })
  return app
}

export const allOperations = (
  deps: HttpDeps,
  options: HttpOptions,
  strangers: ReturnType<typeof createSourceLimiter>,
): readonly Operation[] => [
  ...runOperations(deps, options),
  ...artifactOperations(deps),
  ...fileOperations(deps, options),
  ...selfOperations(deps, options),
  ...hookOperations(deps, strangers),
  ...tenantOperations(deps),
  ...keyOperations(deps),
  ...serverOperations(deps, options.version),
]

const expressPath = (path: string): string => path.replace(/\{(\w+)\+\}/, '*$1').replaceAll(/\{(\w+)\}/g, ':$1')

const allowedMethods = (operations: readonly Operation[]): ReadonlyMap<string, string> => {
  const methods = new Map<string, string[]>([['/openapi.json', ['GET', 'HEAD']]])
  for (const { path, method } of operations) {
    const list = methods.get(expressPath(path)) ?? []
    list.push(method.toUpperCase(), ...(method === 'get' ? ['HEAD'] : []))
    methods.set(expressPath(path), list)
  }
  return new Map([...methods].map(([path, list]) => [path, list.toSorted().join(', ')]))
}

interface Exchange {
  readonly deps: HttpDeps
  /** Whether only an operator gets as far as to see what failed. */
  readonly forOperator?: boolean
  readonly request: Request
  readonly response: Response
}

const refuseMethod =
  (deps: HttpDeps, allow: string): RequestHandler =>
  (request, response) => {
    response.setHeader('Allow', allow)
    fail(
      { deps, request, response },
      new BerthError('method_not_allowed', `${request.path} takes ${allow}, not ${request.method}.`),
    )
  }

const sendPage =
  (html: string, policy: string): RequestHandler =>
  (_request, response) => {
    response.setHeader('Content-Security-Policy', policy)
    response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(html)
  }

const handlerOf =
  (deps: HttpDeps, operation: Operation, authenticate: Authenticator): RequestHandler =>
  async (request, response) => {
    const startedAt = deps.clock.monotonicMs()
    const context = contextOf(request, response)
    try {
      await perform(operation, context, { deps, authenticate })
    } catch (error) {
      fail({ deps, request, response, forOperator: operation.access === 'operator' }, error)
    } finally {
      report(deps, operation, { context, ms: deps.clock.monotonicMs() - startedAt })
    }
  }

const contextOf = (request: Request, response: Response): RequestContext => {
  const requestId = identify(request, response)
  const gone = new AbortController()
  response.once('close', () => {
    if (!response.writableFinished) gone.abort(new BerthError('canceled', 'The caller went away.'))
  })
  return { request, response, requestId, signal: gone.signal }
}

/** Once per request, so that every header and every problem has the same id. */
const identify = (request: Request, response: Response): string => {
  const known = response.getHeader('X-Request-Id')
  if (typeof known === 'string') return known
  const requestId = requestIdOf(request.headers['x-request-id']?.toString())
  response.setHeader('X-Request-Id', requestId)
  const traceparent = request.headers['traceparent']?.toString()
  if (isTraceparent(traceparent)) response.setHeader('traceparent', traceparent)
  return requestId
}

const perform = async (
  operation: Operation,
  context: RequestContext,
  { deps, authenticate }: { deps: HttpDeps; authenticate: Authenticator },
): Promise<void> => {
  if (operation.access === 'public' || operation.access === 'hook') return operation.handle(context)
  const verify = () =>
    authenticate(context.request, { signal: context.signal, sensitive: operation.sensitive !== false })
  const { caller, who } = await verify()
  const recheck = async (): Promise<void> => void (await verify())
  context.response.setHeader('Cache-Control', 'private, no-store')
  switch (operation.access) {
    case 'caller':
      return operation.handle({ ...context, caller, who, recheck })
    case 'operator':
      if (caller.kind !== 'operator') throw new BerthError('forbidden', 'Only an operator key may do that.')
      return operation.handle({ ...context, caller, who, recheck })
    case 'tenant':
      if (caller.kind === 'operator')
        throw new BerthError(
          'forbidden',
          'An operator key acts for no tenant; make a service key with `berth keys create`.',
        )
      if (who === null)
        throw new BerthError('invalid_request', 'A service key says whom it acts for in the header Berth-Tenant.')
      await assertMayProvision(deps, caller)
      return operation.handle({ ...context, caller, who, recheck })
  }
}

const report = (
  deps: HttpDeps,
  operation: Operation,
  { context, ms }: { context: RequestContext; ms: number },
): void => {
  const status = context.response.statusCode
  deps.events.emit({
    code: 'http.answered',
    level: status >= 500 ? 'warn' : 'debug',
    requestId: context.requestId,
    detail: { operation: operation.id, status, ms },
  })
}

/** What Express and its router throw by themselves. */
const fromExpress = (error: unknown): unknown => {
  const status = typeof error === 'object' && error !== null && 'status' in error ? error.status : 500
  return status === 400
    ? new BerthError('invalid_request', 'The path is not percent-encoded UTF-8.', { cause: error })
    : error
}

/** How long the rest of a refused body is read, so that its sender gets to see the answer. */
const LINGER_MS = 2000

const limitRest = (request: Request, response: Response): void => {
  // The response's own: a request whose body was left half read has lost its socket (Node, destroyer in streams/destroy).
  const { socket } = response
  if (request.complete || socket === null) return
  request.resume()
  const settle = (): void => {
    clearTimeout(timer)
    request.off('end', settle)
    // The socket outlives the request: what listens to it must go with the request.
    socket.off('close', settle)
  }
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref()
  request.once('end', settle)
  socket.once('close', settle)
}

/** The one place that renders errors. */
const fail = ({ deps, request, response, forOperator = false }: Exchange, thrown: unknown): void => {
  const error = toBerthError(thrown)
  const requestId = identify(request, response)
  // Nobody is left to answer, and a caller who leaves is no failure.
  if (response.destroyed) return
  if (error.code === 'internal' || !isBerthError(thrown) || toldToTenants(error) !== error.message)
    deps.events.emit({ code: 'http.failed', level: 'error', requestId, error: error.cause ?? error })
  if (response.headersSent) {
    // Too late for a status: breaking off tells the reader that this is not all.
    response.destroy()
    return
  }
  const problem = createProblem(error, { instance: request.path, requestId, forOperator })
  for (const name of ['Content-Disposition', 'Content-Length', 'Location', 'Server-Timing']) response.removeHeader(name)
  const body = Buffer.from(JSON.stringify(problem))
  limitRest(request, response)
  response.writeHead(problem.status, { ...problemHeaders(error, problem), 'Content-Length': body.length })
  response.end(request.method === 'HEAD' ? undefined : body)
}
