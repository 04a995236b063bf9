import { randomBytes } from 'node:crypto'
import type { CryptoKey } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { signHook } from '../../scripts/signed-hook.ts'
import { startIssuer, type TestIssuer } from '../support/issuer.ts'
import { type RunningServer, startServer } from '../support/running-server.ts'
import { setVariables } from '../support/set-variables.ts'
import { startUserDirectory, type UserDirectory } from '../support/user-directory.ts'

const secret = `whsec_${randomBytes(32).toString('base64')}`
const code = { json: { language: 'python', code: '6 * 7' } }
const inSeconds = (): number => Math.floor(Date.now() / 1000)

let issuer: TestIssuer
let key: CryptoKey
let google: UserDirectory
let count = 0

beforeAll(async () => {
  issuer = await startIssuer()
  key = await issuer.addKey('k1', { alg: 'RS256' })
  google = await startUserDirectory()
})
afterAll(async () => {
  await google[Symbol.asyncDispose]()
  await issuer[Symbol.asyncDispose]()
})
beforeEach(() => google.fail(null))

const startWith = async (revocation: string): Promise<RunningServer> => {
  using _ = google.asGoogle()
  const firebase = { project: 'demo-berth', tenants: ['blue'], jwksUri: issuer.jwksUri, revocation }
  return await startServer({ BERTH_FIREBASE: JSON.stringify(firebase), BERTH_HOOK_SECRETS: secret })
}

/** Signed in just now; Firebase knows nothing of them until the test says so. */
const newToken = async (claims: object = {}) => {
  count += 1
  const uid = `user ${count}`
  const standard = { iss: 'https://securetoken.google.com/demo-berth', aud: 'demo-berth', auth_time: inSeconds() }
  return { uid, token: await issuer.sign(key, { ...standard, sub: uid, ...claims }, { alg: 'RS256' }) }
}

const tenantsOf = async (server: RunningServer, uid: string): Promise<unknown> =>
  (await server.operator('GET', `/v1/tenants?${new URLSearchParams({ project: 'demo-berth', uid }).toString()}`)).body
    .data

const refusal = (reason: string) => ({
  status: 401,
  body: { code: 'unauthenticated', detail: `The Firebase ID token was refused: ${reason}.` },
})

const acts = [
  ['POST', '/v1/runs', code],
  ['PUT', '/v1/files/a.txt', { body: 'a' }],
  ['GET', '/v1/files/a.txt', {}],
  ['DELETE', '/v1/files/a.txt', {}],
  ['GET', `/v1/runs/r${'a'.repeat(23)}/artifacts/a.png`, {}],
] as const
const looks = [
  ['GET', '/v1/me'],
  ['GET', '/v1/runtimes'],
  ['GET', '/v1/files'],
  ['GET', '/v1/runs'],
  ['GET', `/v1/runs/r${'a'.repeat(23)}`],
  ['GET', `/v1/runs/r${'a'.repeat(23)}/events`],
  ['GET', `/v1/runs/r${'a'.repeat(23)}/artifacts`],
  ['POST', `/v1/runs/r${'a'.repeat(23)}/cancel`],
] as const

describe('with the policy sensitive', () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await startWith('sensitive')
  })
  afterAll(() => server[Symbol.asyncDispose]())

  test('a user who is still there runs code, and Firebase is asked once for all their calls of a minute', async () => {
    const { uid, token } = await newToken()
    google.users.set(`/${uid}`, {})

    const runs = await Promise.all(
      Array.from({ length: 3 }, () => server.call('POST', '/v1/runs', { key: token, ...code })),
    )

    expect(runs.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(google.asked.filter((name) => name === `/${uid}`)).toHaveLength(1)
  })

  test.each(acts)('a user who was deleted may not %s %s', async (method, path, options) => {
    const { token } = await newToken()

    expect(await server.call(method, path, { key: token, ...options })).toMatchObject(refusal('its user was deleted'))
  })

  test.each(looks)('a user who was deleted may still %s %s, and Firebase is not asked', async (method, path) => {
    const { uid, token } = await newToken()

    expect((await server.call(method, path, { key: token })).status).not.toBe(401)
    expect(google.asked).not.toContain(`/${uid}`)
  })

  test('a user who is disabled runs nothing', async () => {
    const { uid, token } = await newToken()
    google.users.set(`/${uid}`, { disabled: true })

    expect(await server.call('POST', '/v1/runs', { key: token, ...code })).toMatchObject(
      refusal('its user is disabled'),
    )
  })

  test('a token that was revoked runs nothing, and one of a sign-in after that does', async () => {
    const { uid, token } = await newToken({ auth_time: inSeconds() - 60 })
    google.users.set(`/${uid}`, { validSince: String(inSeconds() - 30) })
    const { token: newer } = await newToken({ sub: uid })

    expect(await server.call('POST', '/v1/runs', { key: token, ...code })).toMatchObject(
      refusal('it was revoked; sign in again'),
    )
    expect((await server.call('POST', '/v1/runs', { key: newer, ...code })).status).toBe(200)
  })

  test('a user of an Identity Platform tenant is looked up there', async () => {
    const { uid, token } = await newToken({ firebase: { tenant: 'blue' } })
    google.users.set(`blue/${uid}`, {})

    expect((await server.call('POST', '/v1/runs', { key: token, ...code })).status).toBe(200)
  })

  test('no tenant is made for who is refused', async () => {
    const { uid, token } = await newToken()
    await server.call('POST', '/v1/runs', { key: token, ...code })

    expect(await tenantsOf(server, uid)).toEqual([])
  })

  test('while Google does not answer a user is told to come back, services work, and the log says why', async () => {
    google.fail(429, 'QUOTA_EXCEEDED : of the project')
    const { token } = await newToken()

    const answer = await server.call('POST', '/v1/runs', { key: token, ...code })

    expect(answer).toMatchObject({
      status: 503,
      body: { code: 'identity_unavailable', detail: 'Tokens cannot be checked now.' },
    })
    expect(answer.headers.get('retry-after')).toBe('2')
    expect((await server.as('bob')('POST', '/v1/runs', code)).status).toBe(200)
    expect(server.events).toContainEqual(
      expect.objectContaining({
        code: 'http.failed',
        error: expect.objectContaining({
          data: expect.objectContaining({ reason: 'auth/quota-exceeded, status 429' }),
        }),
      }),
    )
  })
})

describe('with the policy always', () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await startWith('always')
  })
  afterAll(() => server[Symbol.asyncDispose]())

  test.each([...looks, ...acts])('a user who was deleted may not %s %s', async (method, path, options?: object) => {
    const { token } = await newToken()

    expect(await server.call(method, path, { key: token, ...options })).toMatchObject(refusal('its user was deleted'))
  })

  test('fifty callers who wait make one question', async () => {
    const { uid, token } = await newToken()
    google.users.set(`/${uid}`, {})
    google.hold()
    const before = google.asked.length
    const waiting = Array.from({ length: 50 }, () => server.call('GET', '/v1/me', { key: token }))
    await google.hasBeenAsked(before + 1)
    google.letGo()

    expect(new Set((await Promise.all(waiting)).map(({ status }) => status))).toEqual(new Set([200]))
    expect(google.asked.slice(before)).toEqual([`/${uid}`])
  })
})

describe('with the policy never', () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await startWith('never')
  })
  afterAll(() => server[Symbol.asyncDispose]())
  const hook = (type: string, uid: string) =>
    server.call(
      'POST',
      '/v1/hooks/identity',
      signHook({ secret, payload: { type, data: { project: 'demo-berth', uid } } }),
    )

  test('control: Firebase is not asked about a user whom it does not know', async () => {
    const { uid, token } = await newToken()

    expect((await server.call('POST', '/v1/runs', { key: token, ...code })).status).toBe(200)
    expect(google.asked).not.toContain(`/${uid}`)
  })

  test.each(acts)('whom the hook told to be deleted may not %s %s any more', async (method, path, options) => {
    const { uid, token } = await newToken()
    const before = await server.call('POST', '/v1/runs', { key: token, ...code })
    await hook('user.deleted', uid)

    const after = await server.call(method, path, { key: token, ...options })

    expect(before.status).toBe(200)
    expect(after).toMatchObject({ status: 410, body: { code: 'tenant_deleted' } })
  })

  test('a token that is first shown after the deletion makes no berth, whatever else comes late', async () => {
    const { uid, token } = await newToken()
    await hook('user.deleted', uid)
    await hook('user.created', uid)

    expect(await server.call('POST', '/v1/runs', { key: token, ...code })).toMatchObject({ status: 410 })
    expect(await server.call('PUT', '/v1/files/a.txt', { key: token, body: 'a' })).toMatchObject({ status: 410 })
    expect(await server.call('GET', '/v1/me', { key: token })).toMatchObject({ status: 200, body: { berth: null } })
    expect(await tenantsOf(server, uid)).toMatchObject([{ berth: null }])
  })
})

describe('a server that is to ask Firebase', () => {
  const firebase = JSON.stringify({ project: 'demo-berth', revocation: 'always' })

  test('does not start without credentials, and says which setting and what to do', async () => {
    using _ = setVariables({ GOOGLE_APPLICATION_CREDENTIALS: '/nowhere.json', FIREBASE_AUTH_EMULATOR_HOST: undefined })

    await expect(startServer({ BERTH_FIREBASE: firebase })).rejects.toMatchObject({
      code: 'config_invalid',
      message: expect.stringMatching(/^BERTH_FIREBASE: .*set GOOGLE_APPLICATION_CREDENTIALS/),
    })
  })

  test('starts while Google is down, and says so', async () => {
    google.fail(500)
    using _ = google.asGoogle()
    await using server = await startServer({ BERTH_FIREBASE: firebase })

    expect(server.events).toContainEqual(expect.objectContaining({ code: 'identity.users_unreachable', level: 'warn' }))
  })

  test('control: without the policy it starts without credentials', async () => {
    using _ = setVariables({ GOOGLE_APPLICATION_CREDENTIALS: '/nowhere.json', FIREBASE_AUTH_EMULATOR_HOST: undefined })
    await using server = await startServer({ BERTH_FIREBASE: JSON.stringify({ project: 'demo-berth' }) })

    expect(server.url).toMatch(/^http/)
  })
})
