// @module-tag aws-local
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openSharedSite, type SharedSite } from '../backends/lambda-shared/shared-site.ts'
import { type RunningServer, startServer } from '../support/running-server.ts'
import { createHastyClock } from '../../scripts/live-smoke/hasty-clock.ts'

let site: SharedSite
let server: RunningServer
beforeAll(async () => {
  site = await openSharedSite()
  server = await startServer(
    {
      BERTH_BACKEND: 'lambda-shared',
      BERTH_CELLS: JSON.stringify([{ name: 'home', region: site.cell.region, deployment: site.cell.deployment }]),
      BERTH_SPARES: '0',
      BERTH_PYTHON: '/nowhere/python',
    },
    { clock: createHastyClock() },
  )
})
afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
  await site?.[Symbol.asyncDispose]()
})

test('tenants of a shared function run code, are refused files, and are deleted with a receipt', async () => {
  const alice = server.as('alice')
  const run = await alice('POST', '/v1/runs', { json: { language: 'python', code: '6 * 7' } })
  const named = await alice('POST', '/v1/runs', { json: { language: 'python', code: '1', files: ['a.csv'] } })
  const written = await alice('PUT', '/v1/files/a.csv', { body: 'a' })
  const runtimes = await alice('GET', '/v1/runtimes')
  const me = await alice('GET', '/v1/me')
  const id = String(me.body.tenant.id)
  await server.operator('DELETE', `/v1/tenants/${id}`)
  await expect.poll(async () => (await server.operator('GET', `/v1/tenants/${id}/receipt`)).status).toBe(200)

  expect(run.body, JSON.stringify(server.events.slice(-10))).toMatchObject({ results: [{ text: '42' }] })
  expect(named.body.code).toBe('unsupported')
  expect(written.body.code).toBe('unsupported')
  // Of the server, which also serves tenants that were moved to a function of their own.
  expect(runtimes.body.capabilities.files).toBe(true)
})

test('a berth that another backend made is refused and not taken for one of this', async () => {
  const { store } = server.composed
  const berthId = site.ids.berthId()
  const externalId = { project: 'demo', identityTenant: '', uid: 'bob' }
  const rest = { event: null, newTenantId: site.ids.tenantId(), maxBerths: 100, now: new Date() }
  await store.tenants.signUp({ externalId, newBerthId: berthId, backend: 'local', cell: 'home', ...rest })

  const retried = () => server.events.find((event) => event.code === 'berth.retry' && event.berthId === berthId)
  await expect.poll(retried).toBeDefined()

  expect(retried()?.detail?.['reason']).toContain('lives on backend local')
})
