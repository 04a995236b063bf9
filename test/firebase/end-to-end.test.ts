// @module-tag firebase-emulators
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { berth } from '../cli/berth-process.ts'
import { type RunningServer, startServer } from '../support/running-server.ts'
import { setVariables } from '../support/set-variables.ts'
import { type Emulators, startEmulators } from './emulators.ts'
import { type HookPackage, makeHookPackage, PROJECT } from './hook-package.ts'
import { type HookRelay, startHookRelay } from './hook-relay.ts'

let relay: HookRelay
let hook: HookPackage
let server: RunningServer
let emulators: Emulators
let tenant: string
/** Beside them the same with functions of the 1st generation, which let anonymous users in, and with a Berth of their own. */
let relayV1: HookRelay
let hookV1: HookPackage
let serverV1: RunningServer

beforeAll(async () => {
  relay = await startHookRelay()
  relayV1 = await startHookRelay()
  hook = await makeHookPackage(relay.url)
  hookV1 = await makeHookPackage(relayV1.url, '--anonymous')
  // Two programs of 200 MB start: half a minute on a quiet machine.
  emulators = await startEmulators(hook, hookV1)
  tenant = await newTenant()
  server = await startServer({ ...inEmulatorMode(), BERTH_HOOK_SECRETS: hook.secret })
  serverV1 = await startServer({ BERTH_HOOK_SECRETS: `${hookV1.secret},${hook.secret}` })
  relay.leadTo(server.url)
  relayV1.leadTo(serverV1.url)
}, 600_000)
afterAll(async () => {
  for (const part of [emulators, server, serverV1, hook, hookV1, relay, relayV1]) await part?.[Symbol.asyncDispose]()
})

const newTenant = async (): Promise<string> => {
  const path = `/v2/projects/${PROJECT}/tenants`
  const { name } = await emulators.call<{ name: string }>(path, { displayName: 'school', allowPasswordSignup: true })
  return name.split('/').at(-1) ?? ''
}

/** The audience of every custom token. */
const CUSTOM_TOKENS = 'https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit'
const password = 'correct horse'
const newEmail = (): string => `${randomUUID()}@example.com`
const signUp = (more: object = {}) => emulators.account('signUp', { email: newEmail(), password, ...more })
/** As an operator of the project makes a user; the test knows the uid before the event comes. */
const createUser = async (): Promise<{ uid: string; email: string }> => {
  const [uid, email] = [randomUUID(), newEmail()]
  await emulators.call(`/v1/projects/${PROJECT}/accounts`, { localId: uid, email, password })
  return { uid, email }
}

/** Berth takes the emulator's own tokens, which nobody signs. */
const inEmulatorMode = (more: object = {}) => ({
  NODE_ENV: 'test',
  BERTH_FIREBASE: JSON.stringify({ project: PROJECT, tenants: [tenant], emulator: emulators.authHost, ...more }),
})

const run = { json: { language: 'python', code: '6 * 7' } }
const as = (key: string) => ({
  run: () => server.call('POST', '/v1/runs', { key, ...run }),
  tenantId: async (): Promise<string> => (await server.call('GET', '/v1/me', { key })).body.tenant.id,
})

const tenantsOf = async (uid: string, identityTenant = ''): Promise<readonly { id: string; state: string }[]> => {
  const query = new URLSearchParams({ project: PROJECT, uid, identityTenant })
  return (await server.operator('GET', `/v1/tenants?${query.toString()}`)).body.data
}
const receiptOf = async (id: string) => (await server.operator('GET', `/v1/tenants/${id}/receipt`)).status

test('who signs up has a berth behind the hook, and their ID token runs code in it', async () => {
  const { localId, idToken } = await signUp()
  const arrival = await relay.arrival('user.created', localId)
  const user = as(idToken)
  const run = await user.run()

  expect(arrival).toMatchObject({ status: 202, answer: { outcome: 'created' } })
  expect(run).toMatchObject({ status: 200, body: { status: 'succeeded' } })
  expect(JSON.stringify(run.body.results)).toContain('42')
  expect(await user.tenantId()).toBe(arrival.answer.tenantId)
})

test('who is deleted has nothing left, with a receipt, and their token runs nothing', async () => {
  const { localId, idToken } = await signUp()
  const { answer } = await relay.arrival('user.created', localId)
  await emulators.deleteUser(localId)
  const gone = await relay.arrival('user.deleted', localId)

  expect(gone).toMatchObject({ status: 202, answer: { tenantId: answer.tenantId } })
  await expect.poll(() => receiptOf(answer.tenantId ?? '')).toBe(200)
  expect((await as(idToken).run()).status).toBe(410)
})

test('an event that comes twice changes nothing', async () => {
  const { localId } = await signUp()
  const first = await relay.arrival('user.created', localId)

  const second = await relay.again(first)

  expect(second).toMatchObject({ status: 202, answer: { tenantId: first.answer.tenantId, outcome: 'existing' } })
  expect(await tenantsOf(localId)).toHaveLength(1)
})

test('a deletion that overtakes the sign-up is not undone by it', async () => {
  const uid = randomUUID()
  relay.hold('user.created', uid)
  await emulators.call(`/v1/projects/${PROJECT}/accounts`, { localId: uid, email: newEmail(), password })
  await emulators.deleteUser(uid)
  const gone = await relay.arrival('user.deleted', uid)
  relay.letGo('user.created', uid)

  const late = await relay.arrival('user.created', uid)

  expect(gone.status).toBe(202)
  expect(late).toMatchObject({ status: 202, answer: { outcome: 'tombstone' } })
})

test('who signs up while Berth is down gets their berth with their first run, and the late event finds it', async () => {
  const uid = randomUUID()
  relay.takeDown(uid)
  const email = newEmail()
  await emulators.call(`/v1/projects/${PROJECT}/accounts`, { localId: uid, email, password })
  const failed = await relay.arrival('user.created', uid)
  const before = await tenantsOf(uid)
  relay.bringBack(uid)
  const { idToken } = await emulators.account('signInWithPassword', { email, password })
  const user = as(idToken)

  const run = await user.run()
  const late = await relay.again(failed)

  expect([failed.status, before]).toEqual([503, []])
  expect(run.status).toBe(200)
  expect(late).toMatchObject({ status: 202, answer: { tenantId: await user.tenantId(), outcome: 'existing' } })
})

test('the late event alone makes the berth as well', async () => {
  const uid = randomUUID()
  relay.takeDown(uid)
  await emulators.call(`/v1/projects/${PROJECT}/accounts`, { localId: uid, email: newEmail(), password })
  const failed = await relay.arrival('user.created', uid)
  relay.bringBack(uid)

  expect(await relay.again(failed)).toMatchObject({ status: 202, answer: { outcome: 'created' } })
  expect(await tenantsOf(uid)).toHaveLength(1)
})

test('imported users fire no event; their first run makes the berth', async () => {
  const [uid, email] = [randomUUID(), newEmail()]
  const users = [{ localId: uid, email }]
  await emulators.call(`/v1/projects/${PROJECT}/accounts:batchCreate`, { users })
  // Whatever came after the import has arrived.
  await relay.arrival('user.created', (await createUser()).uid)
  const before = await tenantsOf(uid)
  await emulators.call(`/v1/projects/${PROJECT}/accounts:update`, { localId: uid, password })
  const { idToken } = await emulators.account('signInWithPassword', { email, password })

  const run = await as(idToken).run()

  expect([relay.arrivals(uid), before]).toEqual([[], []])
  expect(run.status).toBe(200)
})

test('imported users, of a tenant too, are brought in by reconcile and run; who is gone is deleted when that is asked for', async () => {
  const [uid, email, other] = [randomUUID(), newEmail(), randomUUID()]
  const at = `/v1/projects/${PROJECT}`
  await emulators.call(`${at}/accounts:batchCreate`, { users: [{ localId: uid, email }] })
  await emulators.call(`${at}/tenants/${tenant}/accounts:batchCreate`, {
    users: [
      { localId: other, email },
      { localId: randomUUID(), email: newEmail() },
    ],
  })
  const anonymous = await emulators.account('signUp', {})
  const line = ['reconcile', '--from', 'firebase', '--project', PROJECT, '--identity-tenant', tenant, '--emulator']
  const env = {
    BERTH_URL: server.url,
    BERTH_KEY: server.operatorKey,
    FIREBASE_AUTH_EMULATOR_HOST: emulators.authHost,
  }
  const reconcile = async (...args: readonly string[]) =>
    JSON.parse((await berth([...line, ...args, '--json'], { env })).stdout) as {
      missing: number
      created: number
      gone: number
    }

  const dry = await reconcile()
  const made = await reconcile('--apply')
  const again = await reconcile('--apply')
  await emulators.call(`${at}/accounts:update`, { localId: uid, password })
  const { idToken } = await emulators.account('signInWithPassword', { email, password })
  const run = await as(idToken).run()
  // Whatever the functions tell of it does not arrive.
  relay.takeDown(other)
  await emulators.deleteUser(other, tenant)
  const spared = await reconcile('--apply')
  const before = await tenantsOf(other, tenant)
  const ended = await reconcile('--apply', '--delete-gone')

  expect(dry.missing).toBeGreaterThanOrEqual(3)
  expect(made).toMatchObject({ missing: dry.missing, created: dry.missing, stopped: null })
  expect(again).toMatchObject({ missing: 0, created: 0, stopped: null })
  expect([await tenantsOf(uid), before]).toMatchObject([[{ state: 'active' }], [{ state: 'active' }]])
  expect([spared, ended]).toMatchObject([{ deleted: 0 }, { deleted: spared.gone, stopped: null }])
  expect((await tenantsOf(other, tenant))[0]?.state).toMatch(/^(deprovisioning|deleted)$/)
  expect(await tenantsOf(anonymous.localId)).toEqual([])
  expect(run.status).toBe(200)
})

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

test('a custom token makes a user who can run', async () => {
  const uid = `custom/${randomUUID()}`
  const token = `${part({ alg: 'none', typ: 'JWT' })}.${part({ aud: CUSTOM_TOKENS, uid })}.`
  const { idToken } = await emulators.account('signInWithCustomToken', { token })

  const run = await as(idToken).run()

  expect(run.status).toBe(200)
  expect(await tenantsOf(uid)).toHaveLength(1)
})

test('an anonymous user has no berth by the hook; linked to an address it is the same user with one berth', async () => {
  const anonymous = await emulators.account('signUp', {})
  await relay.arrival('user.created', (await createUser()).uid)
  const before = await tenantsOf(anonymous.localId)
  const linked = await emulators.account('update', { idToken: anonymous.idToken, email: newEmail(), password })
  const runs = [await as(linked.idToken).run(), await as(linked.idToken).run()]

  expect([relay.arrivals(anonymous.localId), before]).toEqual([[], []])
  expect(linked.localId).toBe(anonymous.localId)
  expect(runs.map(({ status }) => status)).toEqual([200, 200])
  expect(await tenantsOf(anonymous.localId)).toHaveLength(1)
})

test('a user of an Identity Platform tenant has a berth of that tenant', async () => {
  const { localId, idToken } = await signUp({ tenantId: tenant })
  const arrival = await relay.arrival('user.created', localId)
  const user = as(idToken)

  expect(arrival).toMatchObject({ status: 202, identityTenant: tenant, answer: { outcome: 'created' } })
  expect((await user.run()).status).toBe(200)
  expect(await user.tenantId()).toBe(arrival.answer.tenantId)
  expect(await tenantsOf(localId)).toEqual([])
  expect(await tenantsOf(localId, tenant)).toHaveLength(1)
})

test('who is disabled, signed out or deleted runs nothing where Firebase is asked, in a tenant too', async () => {
  const variables = { FIREBASE_AUTH_EMULATOR_HOST: emulators.authHost }
  using _ = setVariables(variables)
  await using asking = await startServer({ ...inEmulatorMode({ revocation: 'always' }), ...variables })
  const users = []
  for (const more of [{}, {}, {}, { tenantId: tenant }, {}]) {
    const user = await signUp(more)
    // One after the other, since events that come at once start a function of 100 MB each.
    await relay.arrival('user.created', user.localId)
    users.push(user)
  }
  const [disabled, signedOut, deleted, inTenant] = users
  const update = (path: string, change: object) =>
    emulators.call(`/v1/projects/${PROJECT}${path}/accounts:update`, change)
  await update('', { localId: disabled?.localId, disableUser: true })
  await update('', { localId: signedOut?.localId, validSince: String(Math.floor(Date.now() / 1000) + 2) })
  await emulators.deleteUser(deleted?.localId ?? '')
  await update(`/tenants/${tenant}`, { localId: inTenant?.localId, disableUser: true })

  const answers = await Promise.all(
    users.map(({ idToken }) => asking.call('POST', '/v1/runs', { key: idToken, ...run })),
  )

  expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 401, 200])
  expect(answers.map(({ body }) => body.detail?.match(/disabled|revoked|deleted/)?.[0])).toEqual([
    'disabled',
    'revoked',
    'deleted',
    'disabled',
    undefined,
  ])
})

test('a user of a tenant and one of the project who bear one uid are two, and one of them can go', async () => {
  const uid = randomUUID()
  const add = (path: string) => emulators.call(path, { localId: uid, email: newEmail(), password })
  await add(`/v1/projects/${PROJECT}/accounts`)
  await relay.arrival('user.created', uid)
  await add(`/v1/projects/${PROJECT}/tenants/${tenant}/accounts`)
  await expect.poll(() => relay.arrivals(uid).length).toBe(2)
  const ids = relay.arrivals(uid).map(({ answer }) => answer.tenantId)
  await emulators.deleteUser(uid, tenant)
  const gone = await relay.arrival('user.deleted', uid)

  expect(new Set(ids).size).toBe(2)
  expect(gone).toMatchObject({ status: 202, identityTenant: tenant, answer: { tenantId: ids[1] } })
  expect(await tenantsOf(uid)).toMatchObject([{ id: ids[0], state: 'active' }])
})

const asGoogle = (person: string) => ({
  postBody: new URLSearchParams({
    id_token: JSON.stringify({ sub: person, email: `${person}@example.com`, email_verified: true }),
    providerId: 'google.com',
  }).toString(),
  requestUri: 'http://127.0.0.1',
})

test('who comes by Google has a berth, and keeps it when a password is linked', async () => {
  const first = await emulators.account('signInWithIdp', asGoogle(randomUUID()))
  const arrival = await relay.arrival('user.created', first.localId)
  const linked = await emulators.account('update', { idToken: first.idToken, password })

  expect(arrival).toMatchObject({ status: 202, answer: { outcome: 'created' } })
  expect(JSON.parse(arrival.body).data.emailVerified).toBe(true)
  expect(linked.localId).toBe(first.localId)
  expect((await as(linked.idToken).run()).status).toBe(200)
  expect(await as(linked.idToken).tenantId()).toBe(arrival.answer.tenantId)
})

test('an account that is linked to a second provider is the same user, and fires nothing more', async () => {
  const { localId, idToken } = await signUp()
  const { answer } = await relay.arrival('user.created', localId)
  const linked = await emulators.account('signInWithIdp', { ...asGoogle(randomUUID()), idToken })
  await relay.arrival('user.created', (await createUser()).uid)

  expect(linked.localId).toBe(localId)
  expect(await as(linked.idToken).tenantId()).toBe(answer.tenantId)
  expect(relay.arrivals(localId)).toHaveLength(1)
})

test('functions of the 1st generation tell of who comes and goes', async () => {
  const { localId } = await signUp()
  const arrival = await relayV1.arrival('user.created', localId)
  await emulators.deleteUser(localId)
  const gone = await relayV1.arrival('user.deleted', localId)

  expect(arrival).toMatchObject({ status: 202, answer: { outcome: 'created' } })
  expect(gone).toMatchObject({ status: 202, answer: { tenantId: arrival.answer.tenantId } })
})

test('with both generations deployed an event comes twice under two ids, and there is one berth', async () => {
  const { localId } = await signUp()
  const [second, first] = [await relay.arrival('user.created', localId), await relayV1.arrival('user.created', localId)]
  const { headers, body } = second

  const answer = await serverV1.call('POST', '/v1/hooks/identity', { headers, body })

  expect(headers['webhook-id']).not.toBe(first.headers['webhook-id'])
  expect(answer).toMatchObject({ status: 202, body: { tenantId: first.answer.tenantId, outcome: 'existing' } })
})

test('where anonymous users are provisioned they have a berth by the hook', async () => {
  const { localId } = await emulators.account('signUp', {})

  const arrival = await relayV1.arrival('user.created', localId)

  expect(arrival).toMatchObject({ status: 202, answer: { outcome: 'created' } })
  expect(relay.arrivals(localId)).toEqual([])
})
