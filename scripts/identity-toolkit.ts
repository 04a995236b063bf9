import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'

/** Of `UserInfo`, what matters here. @see https://cloud.google.com/identity-platform/docs/reference/rest/v1/UserInfo checked 2026-11-22 */
export interface Account {
  readonly localId: string
  readonly email?: string
  readonly emailVerified?: boolean
  readonly disabled?: boolean
  readonly phoneNumber?: string
  readonly providerUserInfo?: readonly { readonly providerId: string; readonly rawId: string }[]
}

interface Call {
  readonly project: string
  readonly tenant: string
  readonly name: 'batchGet' | 'lookup'
}

type Answer = readonly [status: number, body: unknown]

const PATH =
  /\/identitytoolkit\.googleapis\.com\/v1\/projects\/([^/]+)(?:\/tenants\/([^/]+))?\/accounts:(batchGet|lookup)$/
/** What Google gives when nothing is asked for, and the most it takes. */
const PAGE = { usual: 20, most: 1000 }
const MOST_LOOKED_UP = 100

export const refusal = (code: number, message: string, status: string): Answer => [
  code,
  { error: { code, message, status, errors: [{ message, domain: 'global', reason: 'invalid' }] } },
]

/**
 * `accounts:batchGet` and `accounts:lookup` of Google's REST API as it documents them, over HTTP; firebase-admin is sent here as to an
 * emulator. Each project has accounts of its own, by identity tenant.
 */
export const startIdentityToolkit = async ({ pageSize = PAGE.most } = {}) => {
  const projects = new Map<string, Map<string, readonly Account[]>>()
  const asked: Call[] = []
  /** May answer in its place, or do something before it answers. */
  const interruptions = new Map<string, (call: Call) => Promise<Answer | undefined> | Answer | undefined>()

  const answer = async (request: IncomingMessage): Promise<Answer> => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1')
    const [, project = '', tenant = '', name] = PATH.exec(url.pathname) ?? []
    if (name !== 'batchGet' && name !== 'lookup') return refusal(404, 'NOT_FOUND', 'NOT_FOUND')
    if (request.headers.authorization === undefined) return refusal(401, 'UNAUTHENTICATED', 'UNAUTHENTICATED')
    const call = { project, tenant: decodeURIComponent(tenant), name } as const
    asked.push(call)
    const body = name === 'lookup' ? ((await json(request)) as LookUp) : {}
    const instead = await interruptions.get(project)?.(call)
    if (instead !== undefined) return instead
    const tenants = projects.get(project)
    if (tenants === undefined) return refusal(400, 'CONFIGURATION_NOT_FOUND', 'INVALID_ARGUMENT')
    const accounts = tenants.get(call.tenant)
    if (accounts === undefined) return refusal(400, 'TENANT_NOT_FOUND', 'INVALID_ARGUMENT')
    return name === 'lookup' ? lookUp(accounts, body) : page(accounts, url.searchParams, pageSize)
  }
  const server = createServer((request, response) => {
    void answer(request).then(([status, body]) =>
      response.writeHead(status, { 'content-type': 'application/json; charset=UTF-8' }).end(JSON.stringify(body)),
    )
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    projects,
    asked,
    interruptions,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await once(server.close(), 'close')
    },
  }
}

export type IdentityToolkit = Awaited<ReturnType<typeof startIdentityToolkit>>

interface LookUp {
  readonly localId?: readonly string[]
}

/** `users` is left out where nobody is found. */
const lookUp = (accounts: readonly Account[], { localId = [] }: LookUp): Answer => {
  if (localId.length > MOST_LOOKED_UP) return refusal(400, 'INVALID_ARGUMENT', 'INVALID_ARGUMENT')
  const wanted = new Set(localId)
  const users = accounts.filter((account) => wanted.has(account.localId)).map(userInfoOf)
  return [200, { kind: 'identitytoolkit#GetAccountInfoResponse', ...(users.length > 0 && { users }) }]
}

/** No order is documented; the token is opaque, and left out on the last page. */
const page = (accounts: readonly Account[], query: URLSearchParams, pageSize: number): Answer => {
  const most = Number(query.get('maxResults') ?? PAGE.usual)
  if (!(most >= 1 && most <= PAGE.most)) return refusal(400, 'INVALID_PAGE_SELECTION', 'INVALID_ARGUMENT')
  const from = Number(Buffer.from(query.get('nextPageToken') ?? '', 'base64url').toString() || 0)
  const to = from + Math.min(pageSize, most)
  const users = accounts.slice(from, to).map(userInfoOf)
  const nextPageToken = Buffer.from(String(to)).toString('base64url')
  return [
    200,
    {
      kind: 'identitytoolkit#DownloadAccountResponse',
      ...(users.length > 0 && { users }),
      ...(to < accounts.length && { nextPageToken }),
    },
  ]
}

const userInfoOf = (account: Account) => ({ ...account, createdAt: '1790000000000', lastLoginAt: '1790000000000' })
