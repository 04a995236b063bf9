import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { signHook } from '../../scripts/signed-hook.ts'
import { startIssuer, type TestIssuer } from '../support/issuer.ts'
import { type RunningServer, startServer } from '../support/running-server.ts'

const secret = `whsec_${randomBytes(32).toString('base64')}`
const hook = (server: RunningServer, uid: string, emailVerified?: boolean, type = 'user.created') => {
  const data = { project: 'demo', uid, ...(emailVerified !== undefined && { emailVerified }) }
  return server.call('POST', '/v1/hooks/identity', signHook({ secret, payload: { type, data } }))
}
const open = (env: Record<string, string>, issuer?: TestIssuer) =>
  startServer({
    BERTH_HOOK_SECRETS: secret,
    BERTH_SPARES: '0',
    ...(issuer && { BERTH_OIDC_ISSUERS: JSON.stringify([{ project: 'demo', issuer: issuer.url, audience: 'berth' }]) }),
    ...env,
  })
const run = { json: { language: 'python', code: '1' } }
const tenants = async (server: RunningServer) => (await server.operator('GET', '/v1/tenants')).body.data.length

test('with first_run the hook records nothing, and the first run makes the berth', async () => {
  await using server = await open({ BERTH_PROVISION_ON: 'first_run' })
  const deferred = await hook(server, 'ada', true)
  const before = await tenants(server)
  const first = await server.as('ada')('POST', '/v1/runs', run)

  expect(deferred).toMatchObject({ status: 202, body: { tenantId: null, outcome: 'deferred' } })
  expect([before, first.status, await tenants(server)]).toEqual([0, 200, 1])
  expect((await hook(server, 'ada')).body.outcome).toBe('existing')
})

test('with first_run a deletion that comes first still keeps the user away', async () => {
  await using server = await open({ BERTH_PROVISION_ON: 'first_run' })
  await hook(server, 'gone', false, 'user.deleted')

  expect((await hook(server, 'gone')).body.outcome).toBe('tombstone')
  expect((await server.as('gone')('POST', '/v1/runs', run)).status).toBe(410)
})

test('with verified_email only users with a verified address get a berth, by hook or by token', async () => {
  await using issuer = await startIssuer()
  const key = await issuer.addKey('k1')
  await using server = await open({ BERTH_PROVISION_ON: 'verified_email' }, issuer)
  const call = async (sub: string, claims: object) =>
    server.call('POST', '/v1/runs', { ...run, key: await issuer.sign(key, { sub, ...claims }) })

  expect((await hook(server, 'ada')).body.outcome).toBe('deferred')
  expect((await hook(server, 'bea', true)).body.outcome).toBe('created')
  expect(await call('ada', {})).toMatchObject({ status: 403, body: { code: 'email_unverified' } })
  expect((await call('ada', { email_verified: 'true' })).status).toBe(403)
  expect(await tenants(server)).toBe(1)
  expect((await call('ada', { email_verified: true })).status).toBe(200)
  expect((await call('bea', { email_verified: false })).status).toBe(200)
})

test('with sign_up, as by default, nobody is asked for an address', async () => {
  await using issuer = await startIssuer()
  const key = await issuer.addKey('k1')
  await using server = await open({}, issuer)

  expect((await hook(server, 'ada', false)).body.outcome).toBe('created')
  expect((await server.call('POST', '/v1/runs', { ...run, key: await issuer.sign(key, { sub: 'bea' }) })).status).toBe(
    200,
  )
})

test('at the cap the hook is told to come again, nothing is lost, and /ready and the metrics say so', async () => {
  await using server = await open({ BERTH_MAX_BERTHS: '1' })
  const first = await hook(server, 'ada')
  const refused = await hook(server, 'bea')

  expect(refused).toMatchObject({ status: 503, body: { code: 'berth_cap_reached', retryable: true } })
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  expect((await server.call('GET', '/ready')).body.warnings).toEqual(['at_cap'])
  const metrics = (await server.operator('GET', '/metrics')).text
  expect(metrics).toContain('berth_berths_cap 1')
  expect(metrics).toContain('berth_events_total{code="room.at_cap",level="error"} 1')

  await hook(server, 'ada', undefined, 'user.deleted')
  await expect
    .poll(async () => (await server.operator('GET', `/v1/tenants/${first.body.tenantId}`)).body.state)
    .toBe('deleted')
  expect((await hook(server, 'bea')).body.outcome).toBe('created')
})

test('new tenants beyond the rate of their project are told when to come again, by hook and by run alike', async () => {
  await using server = await open({ BERTH_SIGN_UPS_PER_MINUTE: '1' })
  const first = await hook(server, 'ada')
  const second = await hook(server, 'bea')

  expect([first.status, (await hook(server, 'ada')).status]).toEqual([202, 202])
  expect(second).toMatchObject({ status: 429, body: { code: 'rate_limited' } })
  expect(Number(second.headers.get('retry-after'))).toBeGreaterThan(0)
  expect((await server.as('cy')('POST', '/v1/runs', run)).status).toBe(429)
  expect((await server.operator('POST', '/v1/tenants', { json: { project: 'demo', uid: 'dan' } })).status).toBe(201)
})
