import { randomBytes, randomUUID } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signHook } from '../../scripts/signed-hook.ts'
import { type RunningServer, startServer } from '../support/running-server.ts'

const makeSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`

const created = (uid: string) => ({ type: 'user.created', data: { project: 'demo', uid } })
const deleted = (uid: string) => ({ type: 'user.deleted', data: { project: 'demo', uid } })

describe('POST /v1/hooks/identity', () => {
  const secret = makeSecret()
  const older = makeSecret()
  let server: RunningServer
  beforeAll(async () => {
    server = await startServer({ BERTH_HOOK_SECRETS: `${secret},${older}` })
  })
  afterAll(() => server[Symbol.asyncDispose]())

  interface Sent {
    readonly id?: string
    readonly with?: string
    /** How far the sender's clock is off. */
    readonly offSeconds?: number
    readonly headers?: Record<string, string>
  }
  const post = (
    payload: unknown,
    { id = randomUUID(), with: key = secret, offSeconds = 0, headers = {} }: Sent = {},
  ) => {
    const event = signHook({ secret: key, payload, id, at: new Date(Date.now() + offSeconds * 1000) })
    return server.call('POST', '/v1/hooks/identity', { ...event, headers: { ...event.headers, ...headers } })
  }

  test('signs a user up before it answers, and the user has a berth', async () => {
    const answer = await post(created('hooked'))
    const run = await server.as('hooked')('POST', '/v1/runs', { json: { language: 'python', code: '1' } })

    expect(answer).toMatchObject({ status: 202, body: { outcome: 'created' } })
    expect(run.status).toBe(200)
    expect((await server.as('hooked')('GET', '/v1/me')).body.tenant.id).toBe(answer.body.tenantId)
  })

  test('changes nothing when the same event comes again, or another one for the same user', async () => {
    const first = await post(created('again'), { id: 'evt_1' })
    const replay = await post(created('again'), { id: 'evt_1' })
    const other = await post(created('again'), { id: 'evt_2' })

    expect([replay.body, other.body]).toEqual([
      { tenantId: first.body.tenantId, outcome: 'existing' },
      { tenantId: first.body.tenantId, outcome: 'existing' },
    ])
  })

  test('does not bring a deleted user back, in whatever order the events come', async () => {
    const gone = await post(deleted('early'))
    const late = await post(created('early'))

    expect(gone.status).toBe(202)
    expect(late).toMatchObject({ status: 202, body: { outcome: 'tombstone', tenantId: gone.body.tenantId } })
    expect((await server.as('early')('POST', '/v1/runs', { json: { language: 'python', code: '1' } })).status).toBe(410)
  })

  test('deletes a user', async () => {
    const { body } = await post(created('left'))
    const answer = await post(deleted('left'))

    expect(answer).toMatchObject({ status: 202, body: { tenantId: body.tenantId } })
    await expect
      .poll(async () => (await server.operator('GET', `/v1/tenants/${body.tenantId}`)).body.state)
      .toBe('deleted')
  })

  test('takes each of two secrets while one replaces the other', async () => {
    expect((await post(created('r1'), { with: older })).status).toBe(202)
    expect((await post(created('r2'), { with: secret })).status).toBe(202)
  })

  test.each([
    ['a secret that is not configured', { with: makeSecret() }],
    ['an old time', { offSeconds: -600 }],
    ['a time ahead', { offSeconds: 600 }],
    ['no signature', { headers: { 'webhook-signature': '' } }],
  ])('refuses %s', async (_name, sent) => {
    const answer = await post(created('forged'), sent)

    expect(answer).toMatchObject({ status: 401, body: { code: 'unauthenticated' } })
    expect((await server.operator('GET', '/v1/tenants?project=demo&uid=forged')).body.data).toEqual([])
  })

  test('refuses a body that was changed after signing', async () => {
    const body = JSON.stringify(created('before'))
    const signature = new Webhook(secret).sign('evt_x', new Date(), body)
    const answer = await post(created('after'), { id: 'evt_x', headers: { 'webhook-signature': signature } })

    expect(answer.status).toBe(401)
  })

  test('refuses a session of its own, such as a service key', async () => {
    const answer = await server.as('alice')('POST', '/v1/hooks/identity', { json: created('x') })

    expect(answer.status).toBe(401)
  })

  test.each([
    ['another type', { type: 'user.updated', data: { project: 'p', uid: 'u' } }, '/type'],
    ['no uid', { type: 'user.created', data: { project: 'p' } }, '/data/uid'],
    ['a field too many', { type: 'user.created', data: { project: 'p', uid: 'u', email: 'a@b' } }, '/data/email'],
  ])('says what is wrong with a signed body with %s', async (_name, payload, pointer) => {
    const { status, body } = await post(payload)

    expect(status).toBe(400)
    expect(body.errors[0].pointer).toBe(pointer)
  })

  test('never puts the name of a user into an event', async () => {
    const uid = `secret-person-${randomUUID()}`
    await post(created(uid))
    await post(deleted(uid))

    expect(JSON.stringify(server.events)).not.toContain(uid)
  })
})

describe('a server without hook secrets', () => {
  test('has a closed hook that says why', async () => {
    await using server = await startServer()
    const answer = await server.call('POST', '/v1/hooks/identity', { json: {} })

    expect(answer.status).toBe(404)
    expect(answer.body.detail).toContain('BERTH_HOOK_SECRETS')
  })
})

describe('strangers at the hook', () => {
  test('are slowed down by their address', async () => {
    await using server = await startServer({ BERTH_HOOK_SECRETS: makeSecret() })
    const knock = () => server.call('POST', '/v1/hooks/identity', { json: {} })
    const first = await knock()
    let last = first
    // 120 a minute, and two more for each second that this takes.
    for (let n = 0; n < 1000 && last.status === 401; n += 1) last = await knock()

    expect(first.status).toBe(401)
    expect(last).toMatchObject({ status: 429, body: { code: 'rate_limited' } })
    expect(Number(last.headers.get('retry-after'))).toBeGreaterThan(0)
  })
})
