import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signHook } from '../../scripts/signed-hook.ts'
import { clerkUser, supabaseChange, supabaseRow } from '../support/provider-payloads.ts'
import { type RunningServer, startServer } from '../support/running-server.ts'

const makeSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`
const own = makeSecret()
const clerk = makeSecret()
const token = randomBytes(24).toString('hex')
const hookEnv = {
  BERTH_HOOK_SECRETS: own,
  BERTH_HOOK_SOURCES: JSON.stringify([
    { name: 'clerk', provider: 'clerk', project: 'of-clerk', secrets: [clerk] },
    { name: 'supabase', provider: 'supabase', project: 'of-supabase', bearer: [token] },
  ]),
  BERTH_SPARES: '0',
}
const path = '/v1/hooks/identity'
type Headers = Readonly<Record<string, string>>
const event = (type: 'user.created' | 'user.deleted', uid: string, project = 'demo') => ({
  type,
  data: { project, uid },
})
const forged = signHook({ secret: makeSecret(), payload: event('user.created', 'forged') })

interface Sent {
  readonly secret: string
  readonly id: string
  readonly headers: Headers
  readonly to: string
}

const deleted = (uid: string, metadata: string): string =>
  JSON.stringify({
    ...supabaseChange('DELETE', uid),
    old_record: supabaseRow(uid, { raw_user_meta_data: 'METADATA' }),
  }).replace('"METADATA"', metadata)

describe('what is sent to the doors of the hook', () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await startServer(hookEnv)
  })
  afterAll(() => server[Symbol.asyncDispose]())
  const post = (payload: unknown, { secret = own, id, headers = {}, to = path }: Partial<Sent> = {}) => {
    const sent = signHook({ secret, payload, ...(id !== undefined && { id }) })
    return server.call('POST', to, { ...sent, headers: { ...sent.headers, ...headers } })
  }
  const stateOf = async (uid: string, project: string): Promise<string | undefined> =>
    (await server.operator('GET', `/v1/tenants?project=${project}&uid=${uid}`)).body.data[0]?.state

  test('with the secret of the main door neither makes nor deletes users of a project that has a source', async () => {
    const made = await post(clerkUser('user_1', 'verified'), { secret: clerk, to: `${path}/clerk` })
    const deletion = await post(event('user.deleted', 'user_1', 'of-clerk'))
    const creation = await post(event('user.created', 'user_2', 'of-clerk'))

    expect(made).toMatchObject({ status: 202, body: { outcome: 'created' } })
    expect([deletion, creation]).toMatchObject([
      { status: 403, body: { code: 'forbidden' } },
      { status: 403, body: { code: 'forbidden' } },
    ])
    expect([await stateOf('user_1', 'of-clerk'), await stateOf('user_2', 'of-clerk')]).toEqual(['active', undefined])
  })

  test('by a source stays in its own project, whatever project the body names', async () => {
    const kept = await post(event('user.created', 'kept'))
    const body = { ...clerkUser('kept', 'verified'), type: 'user.deleted', project: 'demo', identityTenant: 'x' }
    const gone = await post(body, { secret: clerk, to: `${path}/clerk` })

    expect(gone.status).toBe(202)
    expect(gone.body.tenantId).not.toBe(kept.body.tenantId)
    expect(await stateOf('kept', 'demo')).toBe('active')
  })

  test('with the secret of a source opens no other door', async () => {
    expect((await post(event('user.created', 'x'), { secret: clerk })).status).toBe(401)
    expect((await post(clerkUser('x', 'verified'), { to: `${path}/clerk` })).status).toBe(401)
  })

  test('a second time, within the minutes that its signature holds, does not bring a deleted user back', async () => {
    const sent = signHook({ secret: own, payload: event('user.created', 'replayed') })
    await server.call('POST', path, sent)
    await post(event('user.deleted', 'replayed'))

    expect((await server.call('POST', path, sent)).body.outcome).toBe('tombstone')
  })

  test.each<[string, Headers]>([
    ['two ids', { 'webhook-id': 'evt_1, evt_2' }],
    ['two times', { 'webhook-timestamp': '1, 2' }],
    ['an empty id beside one of Svix', { 'webhook-id': '', 'svix-id': 'evt_1' }],
    ['a bearer token and a signature', { Authorization: `Bearer ${token}`, 'webhook-signature': 'v1,' }],
    ['a signature of another version', { 'webhook-signature': 'v2,AAAA' }],
    ['a signature of nothing', { 'webhook-signature': 'v1,' }],
  ])('with %s is refused', async (_name, headers) => {
    expect((await post(event('user.created', 'doubled'), { id: 'evt_1', headers })).status).toBe(401)
  })

  test.each<[string, Headers]>([
    ['compressed', { 'Content-Encoding': 'gzip' }],
    ['in another encoding', { 'Content-Type': 'application/json; charset=utf-16' }],
    ['as a form', { 'Content-Type': 'application/x-www-form-urlencoded' }],
  ])('%s is not taken for JSON', async (_name, headers) => {
    expect((await post(event('user.created', 'encoded'), { headers })).status).toBe(415)
  })

  test('written otherwise than it was signed is refused', async () => {
    const { headers, body } = signHook({ secret: own, payload: event('user.created', 'spaced') })

    expect((await server.call('POST', path, { headers, body: `${body} ` })).status).toBe(401)
  })

  test('of more than 64 KiB is refused, whether its length is told or not', async () => {
    const { headers } = signHook({ secret: own, payload: {} })
    const body = Buffer.alloc(64 * 1024 + 1, ' ')
    const told = await server.call('POST', path, { headers, body })
    const untold = await server.call('POST', path, { headers, body: new Blob([body]).stream() })

    expect([told.status, untold.status]).toEqual([413, 413])
  })

  test.each([
    ['a name that JavaScript knows', '{"__proto__":{"polluted":true}}'],
    ['ten thousand levels', '['.repeat(10_000) + ']'.repeat(10_000)],
    ['two hundred thousand characters', JSON.stringify('x'.repeat(200_000))],
  ])('of a user who wrote %s into their metadata still tells that they are gone', async (name, metadata) => {
    const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` }
    const uid = `of ${name}`
    const made = await server.call('POST', `${path}/supabase`, { headers, json: supabaseChange('INSERT', uid) })
    const gone = await server.call('POST', `${path}/supabase`, { headers, body: deleted(uid, metadata) })

    expect(gone).toMatchObject({ status: 202, body: { tenantId: made.body.tenantId } })
    expect(gone.body.outcome).not.toBe('ignored')
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
  })
})

test('a sign-up in an Identity Platform tenant that no token may come from makes nobody, and is told', async () => {
  const firebase = { project: 'demo-berth', tenants: ['blue'] }
  await using server = await startServer({ ...hookEnv, BERTH_FIREBASE: JSON.stringify(firebase) })
  const hook = async (identityTenant: string, type = 'user.created', project = 'demo-berth') => {
    const payload = { type, data: { project, identityTenant, uid: 'ada' } }
    return (await server.call('POST', path, signHook({ secret: own, payload }))).body
  }

  expect(await hook('green')).toEqual({ tenantId: null, outcome: 'ignored' })
  expect(server.events).toContainEqual(expect.objectContaining({ code: 'hook.ignored', level: 'warn' }))
  expect((await server.operator('GET', '/v1/tenants')).body.data).toEqual([])
  const taken = [await hook('blue'), await hook(''), await hook('green', 'user.created', 'elsewhere')]
  expect(taken.map(({ outcome }) => outcome)).toEqual(['created', 'created', 'created'])
  // Whoever had come by before the list was changed goes all the same.
  expect((await hook('green', 'user.deleted')).tenantId).not.toBeNull()
})

/** Uses up the minute of an address: 120 attempts, and two more for each second that this takes. */
const knockOften = async (server: RunningServer, headers: () => Headers = () => ({})): Promise<readonly number[]> => {
  const knock = () => server.call('POST', path, { ...forged, headers: { ...forged.headers, ...headers() } })
  const answers = await Promise.all(Array.from({ length: 300 }, knock))
  return [...new Set(answers.map(({ status }) => status))].toSorted((a, b) => a - b)
}

const invented = (): string => randomBytes(4).join('.')
const from = (address: string): Headers => ({ 'X-Forwarded-For': address })

describe('whoever knocks without end', () => {
  test('does not shut the hook for a sender of the same address', async () => {
    await using server = await startServer(hookEnv)
    const answers = await knockOften(server)
    const good = await server.call('POST', path, signHook({ secret: own, payload: event('user.created', 'ada') }))

    expect([answers, good.status]).toEqual([[401, 429], 202])
  })

  test('gains nothing by naming addresses, and behind a proxy is told apart from others', async () => {
    await using direct = await startServer(hookEnv)
    await using proxied = await startServer({ ...hookEnv, BERTH_TRUST_PROXY_HOPS: '1' })

    expect(await knockOften(direct, () => from(invented()))).toContain(429)
    expect(await knockOften(proxied, () => from(`${invented()}, 203.0.113.7`))).toContain(429)
    const other = { ...forged, headers: { ...forged.headers, ...from('203.0.113.7, 203.0.113.8') } }
    expect((await proxied.call('POST', path, other)).status).toBe(401)
  })
})
