import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CryptoKey } from 'jose'
import { startIssuer, type TestIssuer } from '../support/issuer.ts'
import { type CallOptions, type RunningServer, startServer } from '../support/running-server.ts'

type Row = readonly [method: string, path: string, options?: CallOptions]

const run = { json: { language: 'python', code: 'open("outputs/a.txt", "w").write("of bob"); print("of bob")' } }

describe('who may call', () => {
  let issuer: TestIssuer
  let signingKey: CryptoKey
  let server: RunningServer
  /** What bob has. */
  let runId: string
  let tenantId: string

  beforeAll(async () => {
    issuer = await startIssuer()
    signingKey = await issuer.addKey('k1')
    server = await startServer({
      BERTH_OIDC_ISSUERS: JSON.stringify([
        { project: 'demo', issuer: issuer.url, audience: 'berth', tenantClaim: 'firebase.tenant' },
      ]),
    })
    const bob = server.as('bob')
    await bob('PUT', '/v1/files/bobs.txt', { body: 'of bob' })
    runId = (await bob('POST', '/v1/runs', run)).body.id
    tenantId = (await bob('GET', '/v1/me')).body.tenant.id
    await server.as('alice')('POST', '/v1/runs', run)
  })
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
    await issuer[Symbol.asyncDispose]()
  })

  const tenantRows = (): readonly Row[] => [
    ['GET', `/v1/runs/${runId}`],
    ['GET', `/v1/runs/${runId}/events`],
    ['POST', `/v1/runs/${runId}/cancel`],
    ['GET', `/v1/runs/${runId}/artifacts`],
    ['GET', `/v1/runs/${runId}/artifacts/a.txt`],
    ['GET', '/v1/files/bobs.txt'],
    ['DELETE', '/v1/files/bobs.txt'],
  ]
  const operatorRows = (): readonly Row[] => [
    ['GET', '/v1/tenants'],
    ['POST', '/v1/tenants', { json: { project: 'demo', uid: 'x' } }],
    ['POST', '/v1/tenants/lookup', { json: { project: 'demo', uids: ['bob'] } }],
    ['GET', `/v1/tenants/${tenantId}`],
    ['POST', `/v1/tenants/${tenantId}/suspend`],
    ['POST', `/v1/tenants/${tenantId}/resume`],
    ['DELETE', `/v1/tenants/${tenantId}`],
    ['GET', `/v1/tenants/${tenantId}/receipt`],
    ['POST', '/v1/keys', { json: { name: 'x', project: 'demo' } }],
    ['GET', '/v1/keys'],
    ['DELETE', `/v1/keys/k${'a'.repeat(15)}`],
    ['GET', '/v1/fleet'],
    ['POST', '/v1/fleet/rollouts', { json: { dryRun: true } }],
    ['POST', '/v1/fleet/rollbacks'],
    ['PUT', '/v1/fleet/fence', { json: { version: 0 } }],
    ['POST', '/v1/reconcile', { json: {} }],
    ['GET', '/metrics'],
  ]
  const anyRows: readonly Row[] = [
    ['POST', '/v1/runs', run],
    ['GET', '/v1/runs'],
    ['GET', '/v1/files'],
    ['PUT', '/v1/files/x', { body: 'x' }],
    ['GET', '/v1/me'],
    ['GET', '/v1/runtimes'],
  ]
  const statuses = async (rows: readonly Row[], options: CallOptions) => {
    const answers: string[] = []
    for (const [method, path, more] of rows)
      answers.push(`${method} ${path} ${(await server.call(method, path, { ...more, ...options })).status}`)
    return answers
  }
  const expected = (rows: readonly Row[], status: number) => rows.map(([method, path]) => `${method} ${path} ${status}`)

  test("another tenant's things do not exist, on every route, for a service and for a user", async () => {
    const token = await issuer.sign(signingKey, { sub: 'alice' })

    expect(await statuses(tenantRows(), { key: server.serviceKey, tenant: 'alice' })).toEqual(
      expected(tenantRows(), 404),
    )
    expect(await statuses(tenantRows(), { key: token })).toEqual(expected(tenantRows(), 404))
  })

  test('and they do exist for their owner (control)', async () => {
    const token = await issuer.sign(signingKey, { sub: 'bob' })
    const rows = tenantRows().filter(([method]) => method === 'GET')

    expect(await statuses(rows, { key: token })).toEqual(expected(rows, 200))
    expect((await server.call('GET', '/v1/files/bobs.txt', { key: token })).text).toBe('of bob')
  })

  test("another tenant's lists show nothing of it", async () => {
    const alice = server.as('alice')

    expect((await alice('GET', '/v1/runs?limit=100')).text).not.toContain(runId)
    expect((await alice('GET', '/v1/files')).text).not.toContain('bobs.txt')
  })

  test('the same uid in another project or identity tenant is another tenant', async () => {
    const other = await server.operator('POST', '/v1/keys', { json: { name: 'o', project: 'other' } })
    const sameUid = { key: other.body.secret as string, tenant: 'bob' }
    const inTenant = await issuer.sign(signingKey, { sub: 'bob', firebase: { tenant: 'blue' } })

    expect(await statuses(tenantRows(), sameUid)).toEqual(expected(tenantRows(), 404))
    expect(await statuses(tenantRows(), { key: inTenant })).toEqual(expected(tenantRows(), 404))
  })

  test('uids that look alike are other tenants', async () => {
    for (const tenant of ['Bob', 'bob ', 'bob\u200b', 'b\u043eb', 'bob/', '../bob', 'bob%'])
      expect((await server.as(tenant)('GET', `/v1/runs/${runId}`)).status).toBe(404)
  })

  test('only operators do what operators do', async () => {
    const token = await issuer.sign(signingKey, { sub: 'bob' })

    expect(await statuses(operatorRows(), { key: server.serviceKey, tenant: 'bob' })).toEqual(
      expected(operatorRows(), 403),
    )
    expect(await statuses(operatorRows(), { key: token })).toEqual(expected(operatorRows(), 403))
  })

  test('an operator acts for no tenant', async () => {
    const rows = [...tenantRows(), ...anyRows.filter(([, path]) => path !== '/v1/me' && path !== '/v1/runtimes')]

    expect(await statuses(rows, { key: server.operatorKey, tenant: 'bob' })).toEqual(expected(rows, 403))
  })

  test('without a credential, or with one of nobody, everything is 401', async () => {
    const rows = [...tenantRows(), ...operatorRows(), ...anyRows]

    expect(await statuses(rows, { key: null })).toEqual(expected(rows, 401))
    const answer = await server.call('GET', '/v1/me', { key: `berth_${'a'.repeat(32)}` })
    expect(answer).toMatchObject({ status: 401, body: { code: 'unauthenticated' } })
    expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="berth"')
  })

  test.each(['Basic YTpi', 'Bearer', 'Bearer  ', 'bearer a b', 'Token x'])(
    '%j is no credential',
    async (Authorization) => {
      expect((await server.call('GET', '/v1/me', { headers: { Authorization } })).status).toBe(401)
    },
  )

  test('a user may not name another tenant, not even itself', async () => {
    const token = await issuer.sign(signingKey, { sub: 'alice' })

    for (const tenant of ['bob', 'alice'])
      expect(await server.call('GET', '/v1/me', { key: token, tenant })).toMatchObject({
        status: 403,
        body: { code: 'forbidden' },
      })
    const headers = { 'Berth-Identity-Tenant': 'blue' }
    expect((await server.call('GET', '/v1/me', { key: token, headers })).status).toBe(403)
  })

  test('a service that names nobody is told to', async () => {
    const answer = await server.call('POST', '/v1/runs', { key: server.serviceKey, ...run })

    expect(answer.status).toBe(400)
    expect(answer.body.detail).toContain('Berth-Tenant')
  })

  test('a tenant of any Unicode is named percent-encoded', async () => {
    const name = '名前 ä🐍,;"'
    const answer = await server.as(name)('POST', '/v1/runs', { json: { language: 'python', code: '1' } })
    const found = await server.operator('GET', `/v1/tenants?project=demo&uid=${encodeURIComponent(name)}`)

    expect(answer.status).toBe(200)
    expect(found.body.data[0].externalId.uid).toBe(name)
  })

  test.each(['%', '%zz', '%ff', 'a,b', 'x'.repeat(129), '%00'])('%j is no name of a tenant', async (name) => {
    const answer = await server.call('GET', '/v1/me', { key: server.serviceKey, headers: { 'Berth-Tenant': name } })

    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } })
  })

  test('a token that cannot be checked is 503 with Retry-After, not 401', async () => {
    await using down = await startIssuer()
    const key = await down.addKey('k1')
    down.setDown(true)
    const issuers = [{ project: 'demo', issuer: down.url, audience: 'berth' }]
    await using other = await startServer({ BERTH_OIDC_ISSUERS: JSON.stringify(issuers) })
    const answer = await other.call('GET', '/v1/me', { key: await down.sign(key) })

    expect(answer).toMatchObject({ status: 503, body: { code: 'identity_unavailable', retryable: true } })
    expect(answer.headers.get('retry-after')).toBe('2')
  })

  test('a stranger is slowed down and cannot lock out a caller at the same address', async () => {
    await using other = await startServer()
    await other.as('alice')('GET', '/v1/me')
    const knock = async () => (await other.call('GET', '/v1/me', { key: 'nobody' })).status
    expect(await knock()).toBe(401)
    // 120 a minute, and two more for each second that this takes.
    let last = 401
    for (let n = 0; n < 1000 && last === 401; n += 1) last = await knock()

    expect(last).toBe(429)
    expect((await other.as('alice')('GET', '/v1/me')).status).toBe(200)
  })

  test('nor keep out users whose tokens are new, for theirs are new each hour', async () => {
    await using issuer = await startIssuer()
    const signing = await issuer.addKey('k1')
    const trusted = [{ project: 'demo', issuer: issuer.url, audience: 'berth' }]
    await using other = await startServer({ BERTH_OIDC_ISSUERS: JSON.stringify(trusted) })
    const knock = async (key: string) => (await other.call('GET', '/v1/me', { key })).status
    const tokens = await Promise.all(Array.from({ length: 10 }, (_, at) => issuer.sign(signing, { sub: `user-${at}` })))
    const strangers = await Promise.all(Array.from({ length: 300 }, () => knock('nobody')))

    expect(strangers).toContain(429)
    expect(await Promise.all(tokens.map(knock))).toEqual(tokens.map(() => 200))
  })
})
