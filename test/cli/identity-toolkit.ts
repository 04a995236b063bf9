import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'

interface Account {
  readonly localId: string
  readonly email?: string
}

const PREFIX = /\/identitytoolkit\.googleapis\.com\/v1\/projects\/[^/]+(?:\/tenants\/([^/]+))?\/accounts:(\w+)/

/** The two calls of Google's REST API that list and look users up, over HTTP; firebase-admin is sent here as to an emulator. */
export const startIdentityToolkit = async ({ pageSize = 1000 } = {}) => {
  const tenants = new Map<string, Account[]>([['', []]])
  const asked: string[] = []
  /** Answered, one each, before anything else. */
  const failures: { readonly call: string; readonly afterPages: number; readonly status: number; message: string }[] =
    []
  let pages = 0
  const failureOf = (call: string) => {
    const at = failures.findIndex((one) => one.call === call && pages >= one.afterPages)
    return at < 0 ? undefined : failures.splice(at, 1)[0]
  }
  const answer = async (request: IncomingMessage): Promise<readonly [number, unknown]> => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1')
    const [, tenant = '', call = ''] = PREFIX.exec(url.pathname) ?? []
    asked.push(call)
    const failure = failureOf(call)
    if (failure !== undefined) return [failure.status, { error: { code: failure.status, message: failure.message } }]
    const users = tenants.get(tenant) ?? []
    if (call === 'lookup') {
      const { localId = [] } = (await json(request)) as { readonly localId?: readonly string[] }
      return [200, { users: users.filter((user) => localId.includes(user.localId)) }]
    }
    pages += 1
    const from = Number(url.searchParams.get('nextPageToken') ?? 0)
    const to = from + Math.min(pageSize, Number(url.searchParams.get('maxResults')))
    return [200, { users: users.slice(from, to), ...(to < users.length ? { nextPageToken: String(to) } : {}) }]
  }
  const server = createServer((request, response) => {
    void answer(request).then(([status, body]) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
    )
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    tenants,
    asked,
    failures,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await once(server.close(), 'close')
    },
  }
}
