import { randomBytes, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signHook } from '../../scripts/signed-hook.ts'
import { startIssuer, type TestIssuer } from '../support/issuer.ts'
import {
  auth0User,
  clerkUser,
  cognitoConfirmation,
  supabaseAuthHook,
  supabaseChange,
} from '../support/provider-payloads.ts'
import { type RunningServer, startServer } from '../support/running-server.ts'

const makeSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`
const secrets = { clerk: makeSecret(), cognito: makeSecret() }
const tokens = { auth0: randomBytes(24).toString('hex'), supabase: randomBytes(24).toString('hex') }

const sources = [
  { name: 'clerk', provider: 'clerk', project: 'of-clerk', secrets: [secrets.clerk] },
  { name: 'pool', provider: 'cognito', project: 'of-cognito', secrets: [secrets.cognito] },
  { name: 'auth0', provider: 'auth0', project: 'of-auth0', bearer: [tokens.auth0] },
  { name: 'supabase', provider: 'supabase', project: 'of-supabase', bearer: [tokens.supabase] },
]

interface Sent {
  readonly body: string
  readonly headers: Record<string, string>
}
const svix = (payload: unknown, secret = secrets.clerk): Sent => {
  const { body, headers } = signHook({ secret, payload })
  const renamed = Object.entries(headers).map(([name, value]) => [name.replace('webhook-', 'svix-'), value])
  return { body, headers: Object.fromEntries(renamed) as Record<string, string> }
}
const signed = (payload: unknown, secret = secrets.cognito): Sent => signHook({ secret, payload })
const bearer =
  (token: string) =>
  (payload: unknown): Sent => ({
    body: JSON.stringify(payload),
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
  })

describe('POST /v1/hooks/identity/{source}', () => {
  let server: RunningServer
  const issuers = new Map<string, TestIssuer>()
  beforeAll(async () => {
    for (const { project } of sources) issuers.set(project, await startIssuer())
    server = await startServer({
      BERTH_HOOK_SOURCES: JSON.stringify(sources),
      BERTH_OIDC_ISSUERS: JSON.stringify(
        [...issuers].map(([project, { url }]) => ({ project, issuer: url, audience: 'berth' })),
      ),
    })
  })
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
    for (const issuer of issuers.values()) await issuer[Symbol.asyncDispose]()
  })
  const post = (name: string, sent: Sent) => server.call('POST', `/v1/hooks/identity/${name}`, sent)

  test.each<[string, string, (uid: string) => Sent]>([
    ['clerk', 'of-clerk', (uid) => svix(clerkUser(uid, 'verified'))],
    ['pool', 'of-cognito', (uid) => signed(cognitoConfirmation(uid))],
    ['auth0', 'of-auth0', (uid) => bearer(tokens.auth0)(auth0User('user.created', uid))],
    ['supabase', 'of-supabase', (uid) => bearer(tokens.supabase)(supabaseChange('INSERT', uid))],
  ])('of %s makes the tenant that the same user has by its token', async (name, project, sentFor) => {
    const uid = `auth0|same-${name}`
    const issuer = issuers.get(project)
    const key = await issuer?.addKey('k1')
    const token = key === undefined ? '' : await issuer?.sign(key, { sub: uid })

    const hook = await post(name, sentFor(uid))
    const me = await server.call('GET', '/v1/me', { key: token ?? '' })

    expect(hook).toMatchObject({ status: 202, body: { outcome: 'created' } })
    expect(me).toMatchObject({ status: 200, body: { tenant: { id: hook.body.tenantId } } })
  })

  test('keeps users of two providers with one id apart', async () => {
    const first = await post('clerk', svix(clerkUser('twin', 'verified')))
    const second = await post('pool', signed(cognitoConfirmation('twin')))

    expect([first.body.outcome, second.body.outcome]).toEqual(['created', 'created'])
    expect(first.body.tenantId).not.toBe(second.body.tenantId)
  })

  test('does not bring back whom a row that went has deleted', async () => {
    const send = bearer(tokens.supabase)
    const { body } = await post('supabase', send(supabaseChange('DELETE', 'gone')))
    const late = await post('supabase', send(supabaseChange('INSERT', 'gone')))

    expect(late.body).toEqual({ tenantId: body.tenantId, outcome: 'tombstone' })
  })

  test('takes what does not concern it as done, tells it, and makes nobody', async () => {
    const answer = await post('supabase', bearer(tokens.supabase)(supabaseAuthHook('phantom')))

    expect(answer).toMatchObject({ status: 202, body: { tenantId: null, outcome: 'ignored' } })
    expect(server.events).toContainEqual(expect.objectContaining({ code: 'hook.ignored', level: 'warn' }))
    expect((await server.operator('GET', '/v1/tenants?project=of-supabase&uid=phantom')).body.data).toEqual([])
  })

  test.each<[string, string, Sent]>([
    ["another source's secret", 'clerk', svix(clerkUser('forged', 'verified'), secrets.cognito)],
    ['a bearer token where a signature is due', 'clerk', bearer(tokens.auth0)(clerkUser('forged', 'verified'))],
    ['a signature where a bearer token is due', 'auth0', signed(auth0User('user.created', 'forged'))],
    ["another source's token", 'auth0', bearer(tokens.supabase)(auth0User('user.created', 'forged'))],
    ['no proof', 'auth0', { ...bearer('')({}), headers: { 'Content-Type': 'application/json' } }],
  ])('refuses %s', async (_name, source, sent) => {
    expect(await post(source, sent)).toMatchObject({ status: 401, body: { code: 'unauthenticated' } })
  })

  test('has no source that is not configured, and the main hook stays closed beside them', async () => {
    expect((await post('workos', signed({}))).status).toBe(404)
    expect((await server.call('POST', '/v1/hooks/identity', signed({}))).status).toBe(404)
  })
})

const payload = (uid: string) => ({ type: 'user.created', data: { project: 'demo', uid } })

describe('the two doors of the hook', () => {
  const secret = makeSecret()
  const email = 'hook@demo.iam.gserviceaccount.com'
  const audience = 'https://berth.example/v1/hooks/identity'
  let google: TestIssuer
  let token: string
  beforeAll(async () => {
    google = await startIssuer()
    const key = await google.addKey('g1', { alg: 'RS256' })
    const claims = { iss: 'accounts.google.com', aud: audience, email, email_verified: true }
    token = await google.sign(key, claims, { alg: 'RS256', kid: 'g1' })
  })
  afterAll(() => google[Symbol.asyncDispose]())
  const open = (auth: string, more: Record<string, string> = {}) =>
    startServer({
      BERTH_HOOK_AUTH: auth,
      BERTH_HOOK_GOOGLE: JSON.stringify({ audience, emails: [email], jwksUri: google.jwksUri }),
      ...more,
    })
  const withToken = (uid: string, id: string = randomUUID()): Sent => ({
    body: JSON.stringify(payload(uid)),
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}`, 'webhook-id': id },
  })
  const path = '/v1/hooks/identity'

  test('with google only, a signature opens nothing and a repeated event changes nothing', async () => {
    await using server = await open('google')
    const first = await server.call('POST', path, withToken('ada', 'evt_1'))
    const again = await server.call('POST', path, withToken('ada', 'evt_1'))
    const stolen = await server.call('POST', path, withToken('bea', 'evt_1'))
    const withSignature = await server.call('POST', path, signHook({ secret, payload: payload('cy') }))

    expect(first).toMatchObject({ status: 202, body: { outcome: 'created' } })
    expect(again).toMatchObject({ status: 202, body: { outcome: 'existing', tenantId: first.body.tenantId } })
    expect(stolen).toMatchObject({ status: 409, body: { code: 'conflict' } })
    expect(withSignature.status).toBe(401)
  })

  test('with both, each opens, and a good signature is no second chance for a bad token', async () => {
    await using server = await open('both', { BERTH_HOOK_SECRETS: secret })
    const event = signHook({ secret, payload: payload('cy') })
    const badToken = { ...event, headers: { ...event.headers, Authorization: 'Bearer a.b.c' } }

    expect((await server.call('POST', path, badToken)).status).toBe(401)
    expect((await server.call('POST', path, event)).status).toBe(202)
    expect((await server.call('POST', path, withToken('dan'))).status).toBe(202)
  })

  test('with hmac, a Google token opens nothing', async () => {
    await using server = await startServer({ BERTH_HOOK_SECRETS: secret })

    expect((await server.call('POST', path, withToken('eve'))).status).toBe(401)
  })

  test('answers 503 and not 401 while keys cannot be read', async () => {
    await using server = await open('google')
    google.setDown(true)
    const answer = await server.call('POST', path, withToken('ada'))
    google.setDown(false)

    expect(answer).toMatchObject({ status: 503, body: { code: 'identity_unavailable' } })
    expect(answer.headers.get('retry-after')).not.toBeNull()
  })
})
