import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningServer, startServer } from '../support/running-server.ts'

const one = { json: { language: 'python', code: '1' } }

describe('/v1/tenants', () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await startServer()
  })
  afterAll(() => server[Symbol.asyncDispose]())

  const create = (uid: string, more: object = {}) =>
    server.operator('POST', '/v1/tenants', { json: { project: 'demo', uid, ...more } })

  test('signs a tenant up once', async () => {
    const first = await create('once')
    const again = await create('once')

    expect(first.status).toBe(201)
    expect(again.status).toBe(200)
    expect(again.body.id).toBe(first.body.id)
    expect(first.body).toMatchObject({
      state: 'active',
      externalId: { project: 'demo', identityTenant: '', uid: 'once' },
      berth: { backend: 'local' },
    })
    expect(first.headers.get('location')).toBe(`/v1/tenants/${first.body.id}`)
  })

  test('keeps case twins, composed twins and tenants of an identity tenant apart', async () => {
    const bodies = await Promise.all([
      create('Twin'),
      create('twin'),
      create('tw\u00efn'),
      create('twi\u0308n'),
      create('twin', { identityTenant: 'blue' }),
    ])

    expect(new Set(bodies.map(({ body }) => body.id)).size).toBe(5)
  })

  test.each([
    ['no uid', { project: 'demo' }],
    ['an empty uid', { project: 'demo', uid: '' }],
    ['a uid that is too long', { project: 'demo', uid: 'x'.repeat(129) }],
    ['NUL in its uid', { project: 'demo', uid: 'a\0b' }],
    ['half a character', { project: 'demo', uid: 'a\ud800' }],
    ['a field too many', { project: 'demo', uid: 'a', role: 'operator' }],
  ])('refuses a tenant with %s', async (_name, json) => {
    expect(await server.operator('POST', '/v1/tenants', { json })).toMatchObject({
      status: 400,
      body: { code: 'invalid_request' },
    })
  })

  test('takes an id of exactly 128 characters', async () => {
    expect((await create('🐍'.repeat(64))).status).toBe(201)
  })

  test('finds one by id, by name, and by state', async () => {
    const { body } = await create('findable')
    const byId = await server.operator('GET', `/v1/tenants/${body.id}`)
    const byName = await server.operator('GET', '/v1/tenants?project=demo&uid=findable')
    const nobody = await server.operator('GET', '/v1/tenants?project=demo&uid=nobody')
    const active = await server.operator('GET', '/v1/tenants?state=active&limit=100')

    expect(byId.body.id).toBe(body.id)
    expect(byName.body.data.map((tenant: { id: string }) => tenant.id)).toEqual([body.id])
    expect(nobody.body.data).toEqual([])
    expect(active.body.data.map((tenant: { id: string }) => tenant.id)).toContain(body.id)
  })

  test('tells which of many users are known, deleted ones too, and makes nobody', async () => {
    const known = (await create('known')).body
    const twin = (await create('known', { identityTenant: 'blue' })).body
    const left = (await create('left')).body
    await server.operator('DELETE', `/v1/tenants/${left.id}`)
    const lookUp = (more: object) =>
      server.operator('POST', '/v1/tenants/lookup', {
        json: { project: 'demo', uids: ['left', 'new', 'known'], ...more },
      })

    const { status, body } = await lookUp({})

    expect(status).toBe(200)
    expect(body).toMatchObject({
      tenants: [
        { uid: 'left', id: left.id },
        { uid: 'known', id: known.id, state: 'active' },
      ],
      provisionOn: 'sign_up',
    })
    expect(['deprovisioning', 'deleted']).toContain(body.tenants[0].state)
    expect((await lookUp({ identityTenant: 'blue' })).body.tenants).toMatchObject([{ id: twin.id }])
    expect((await lookUp({ project: 'other' })).body.tenants).toEqual([])
    expect((await lookUp({ uids: ['new'] })).body.tenants).toEqual([])
  })

  test.each([
    ['nobody', []],
    ['101 users', Array.from({ length: 101 }, (_, at) => `u${at}`)],
    ['half a character', ['a\ud800']],
  ])('refuses to look up %s', async (_name, uids) => {
    const json = { project: 'demo', uids }

    expect(await server.operator('POST', '/v1/tenants/lookup', { json })).toMatchObject({
      status: 400,
      body: { code: 'invalid_request' },
    })
  })

  test('looks up a hundred of the longest uids', async () => {
    const uids = Array.from({ length: 100 }, (_, at) => `${at}`.padEnd(128, '\u0001'))
    const json = { project: 'demo', uids }

    expect((await server.operator('POST', '/v1/tenants/lookup', { json })).status).toBe(200)
  })

  test('pages through all', async () => {
    for (const uid of ['p1', 'p2', 'p3']) await create(uid)
    const ids: string[] = []
    let query = '?limit=2'
    for (let pages = 0; pages < 50 && query !== ''; pages += 1) {
      const { body } = await server.operator('GET', `/v1/tenants${query}`)
      ids.push(...body.data.map((tenant: { id: string }) => tenant.id))
      query = body.nextCursor === null ? '' : `?limit=2&cursor=${encodeURIComponent(body.nextCursor)}`
    }

    expect(ids.length).toBeGreaterThanOrEqual(3)
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('suspends and resumes: everything but /v1/me is refused meanwhile', async () => {
    const as = server.as('sleeper')
    await as('POST', '/v1/runs', one)
    const { id } = (await as('GET', '/v1/me')).body.tenant
    const suspended = await server.operator('POST', `/v1/tenants/${id}/suspend`)

    expect(suspended.body.state).toBe('suspended')
    for (const [method, path, options] of [
      ['POST', '/v1/runs', one],
      ['GET', '/v1/runs', {}],
      ['GET', '/v1/files', {}],
      ['PUT', '/v1/files/x', { body: 'x' }],
    ] as const)
      expect(await as(method, path, options)).toMatchObject({ status: 403, body: { code: 'tenant_suspended' } })
    expect((await as('GET', '/v1/me')).body.tenant.state).toBe('suspended')

    await server.operator('POST', `/v1/tenants/${id}/resume`)
    expect((await as('POST', '/v1/runs', one)).status).toBe(200)
  })

  test('deletes with a receipt, and a deleted tenant stays deleted', async () => {
    const as = server.as('leaver')
    await as('POST', '/v1/runs', one)
    await as('PUT', '/v1/files/x', { body: 'x' })
    const { id } = (await as('GET', '/v1/me')).body.tenant

    expect((await server.operator('GET', `/v1/tenants/${id}/receipt`)).status).toBe(404)
    const deleted = await server.operator('DELETE', `/v1/tenants/${id}`)
    expect(deleted.status).toBe(202)
    expect(['deprovisioning', 'deleted']).toContain(deleted.body.state)
    await expect.poll(async () => (await server.operator('GET', `/v1/tenants/${id}/receipt`)).status).toBe(200)
    const receipt = await server.operator('GET', `/v1/tenants/${id}/receipt`)

    expect(receipt.body).toMatchObject({ tenantId: id })
    expect(receipt.body.verifiedAbsent.length).toBeGreaterThan(0)
    expect((await as('POST', '/v1/runs', one)).status).toBe(410)
    expect((await create('leaver')).body.code).toBe('tenant_deleted')
    expect((await server.operator('DELETE', `/v1/tenants/${id}`)).status).toBe(202)
    expect((await server.operator('GET', `/v1/tenants/${id}`)).body).toMatchObject({
      externalId: null,
      state: 'deleted',
    })
  })

  test.each([
    ['GET', ''],
    ['DELETE', ''],
    ['POST', '/suspend'],
    ['POST', '/resume'],
    ['GET', '/receipt'],
  ])('%s /v1/tenants/{id}%s is 404 for ids that nobody has', async (method, rest) => {
    for (const id of [`t${'a'.repeat(15)}`, 'x', '%2e%2e'])
      expect(await server.operator(method, `/v1/tenants/${id}${rest}`)).toMatchObject({
        status: 404,
        body: { code: 'not_found' },
      })
  })
})

describe('the cap of berths', () => {
  test('answers 503 when it is reached', async () => {
    await using server = await startServer({ BERTH_MAX_BERTHS: '1', BERTH_SPARES: '0' })
    await server.operator('POST', '/v1/tenants', { json: { project: 'demo', uid: 'a' } })
    const second = await server.operator('POST', '/v1/tenants', { json: { project: 'demo', uid: 'b' } })

    expect(second).toMatchObject({ status: 503, body: { code: 'berth_cap_reached' } })
    expect(second.headers.get('retry-after')).not.toBeNull()
  })
})

describe('/v1/keys', () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await startServer()
  })
  afterAll(() => server[Symbol.asyncDispose]())

  test('shows a secret once and never again', async () => {
    const made = await server.operator('POST', '/v1/keys', { json: { name: 'agent', project: 'demo' } })
    const list = await server.operator('GET', '/v1/keys')

    expect(made.status).toBe(201)
    expect(made.body.secret).toMatch(/^berth_[a-z2-7]{32}$/)
    expect(list.text).not.toContain(made.body.secret)
    expect(list.body.data.map((key: { id: string }) => key.id)).toContain(made.body.id)
  })

  test.each([
    ['a service key without project', { name: 'x', role: 'service' }, '/project'],
    ['an operator key with a project', { name: 'x', role: 'operator', project: 'p' }, '/project'],
    ['a key without name', { project: 'p' }, '/name'],
    ['a role that does not exist', { name: 'x', role: 'root' }, '/role'],
  ])('refuses %s', async (_name, json, pointer) => {
    const { status, body } = await server.operator('POST', '/v1/keys', { json })

    expect(status).toBe(400)
    expect(body.errors[0].pointer).toBe(pointer)
  })

  test('revokes at once', async () => {
    const made = await server.operator('POST', '/v1/keys', { json: { name: 'short', project: 'demo' } })
    const use = () => server.call('GET', '/v1/me', { key: made.body.secret, tenant: 'a' })
    const before = await use()
    const revoked = await server.operator('DELETE', `/v1/keys/${made.body.id}`)

    expect(before.status).toBe(200)
    expect(revoked.body.revokedAt).not.toBeNull()
    expect((await use()).status).toBe(401)
  })

  test('does not let a key revoke itself', async () => {
    const made = await server.operator('POST', '/v1/keys', { json: { name: 'ops', role: 'operator' } })
    const own = await server.call('DELETE', `/v1/keys/${made.body.id}`, { key: made.body.secret })

    expect(own).toMatchObject({ status: 409, body: { code: 'conflict' } })
    expect((await server.operator('DELETE', `/v1/keys/${made.body.id}`)).status).toBe(200)
  })

  test('is 404 for ids that nobody has', async () => {
    for (const id of [`k${'a'.repeat(15)}`, 'x'])
      expect((await server.operator('DELETE', `/v1/keys/${id}`)).status).toBe(404)
  })
})

describe('the rest of what operators and machines ask', () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await startServer()
    await server.as('alice')('POST', '/v1/runs', one)
  })
  afterAll(() => server[Symbol.asyncDispose]())

  test('POST /v1/reconcile finds nothing where all is well, dry and applied', async () => {
    for (const json of [{}, { apply: true }]) {
      const { status, body } = await server.operator('POST', '/v1/reconcile', { json })

      expect(status).toBe(200)
      expect(body).toMatchObject({ applied: 'apply' in json, tenants: 1 })
      expect(body.findings.filter((finding: { action: string }) => finding.action !== 'wait')).toEqual([])
    }
  })

  test('GET /v1/fleet counts berths by image; on one machine nobody lags behind', async () => {
    const { status, body } = await server.operator('GET', '/v1/fleet')

    expect(status).toBe(200)
    expect(body.data).toMatchObject([{ cell: 'local', fence: 0, held: null, problem: null }])
    expect(body.data[0].listed).toMatchObject({ laggards: [], laggardsTotal: 0 })
    const { wanted, listed } = body.data[0]
    expect(listed.images).toEqual([{ ...wanted, berths: listed.berths }])
    expect(body.data[0].listed.berths).toBeGreaterThan(0)
    expect((await server.operator('GET', '/metrics')).text).toMatch(/berth_fleet_berths\{cell="local",.*\} \d/)
  })

  test('POST /v1/fleet/rollouts finds that what is installed is in use, and fences nobody off beyond it', async () => {
    const wanted = (await server.operator('GET', '/v1/fleet')).body.data[0].wanted
    const rollOut = (json: object) => server.operator('POST', '/v1/fleet/rollouts', { json })

    expect((await rollOut({})).body).toMatchObject({ state: 'done', reason: null, updated: 0, target: wanted })
    expect((await rollOut({ fence: wanted.version + 1 })).body).toMatchObject({ code: 'conflict' })
    expect((await rollOut({ image: wanted.image })).body).toMatchObject({ code: 'invalid_request' })
  })

  test('PUT /v1/fleet/fence and POST /v1/fleet/rollbacks take no image, and refuse what cannot be with the remedy', async () => {
    const { image, version } = (await server.operator('GET', '/v1/fleet')).body.data[0].wanted
    const setFence = (json: object) => server.operator('PUT', '/v1/fleet/fence', { json })

    expect((await setFence({ version: version + 1 })).body).toMatchObject({ code: 'conflict' })
    expect((await setFence({ version, image: '/etc' })).body).toMatchObject({ code: 'invalid_request' })
    expect((await setFence({ version })).body).toEqual({ image, version, fence: version })
    expect((await setFence({ version: 0 })).body).toEqual({ image, version, fence: 0 })
    expect((await server.operator('POST', '/v1/fleet/rollbacks')).body).toMatchObject({
      code: 'conflict',
      detail: expect.stringContaining('berth rollout start --local'),
    })
  })

  test('GET /metrics counts runs and requests, by words and never by ids', async () => {
    const { status, text, headers } = await server.operator('GET', '/metrics')

    expect(status).toBe(200)
    expect(headers.get('content-type')).toMatch(/^text\/plain/)
    expect(text).toMatch(/berth_runs_total\{status="succeeded",language="python",failure=""\} 1/)
    expect(text).toMatch(/berth_http_requests_total\{operation="createRun",status="200"\} 1/)
    expect(text).toMatch(/berth_berths\{state="ready"\} \d/)
    expect(text).not.toMatch(/alice|[tbr][a-z2-7]{15}"/)
  })

  test('GET /health and /ready need no key', async () => {
    const answers = [await server.call('GET', '/health'), await server.call('GET', '/ready')]

    for (const answer of answers) expect(answer).toMatchObject({ status: 200, body: { status: 'ok' } })
  })

  test('GET /v1/runtimes says what code finds here', async () => {
    const { body } = await server.as('alice')('GET', '/v1/runtimes')

    expect(body.languages.map(({ language }: { language: string }) => language).toSorted()).toEqual([
      'python',
      'typescript',
    ])
    expect(body.capabilities).toMatchObject({ files: true })
    expect(body.limits.run.timeoutMs).toBe(30_000)
  })

  test('GET /v1/me says who is calling', async () => {
    expect((await server.operator('GET', '/v1/me')).body).toMatchObject({ caller: 'operator', tenant: null })
    expect((await server.as('alice')('GET', '/v1/me')).body).toMatchObject({
      caller: 'service',
      tenant: { state: 'active' },
      berth: { state: 'ready' },
      running: [],
    })
  })
})
