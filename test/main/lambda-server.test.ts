import { randomBytes, randomUUID } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createWantedImage } from '../../src/aws/wanted-image.ts'
import { quiet } from '../contract/content.ts'
import { type CellSite, openCellSite } from '../backends/lambda/cell-site.ts'
import { type RunningServer, startServer } from '../support/running-server.ts'

const secret = `whsec_${randomBytes(32).toString('base64')}`

let site: CellSite
let server: RunningServer

beforeAll(async () => {
  site = await openCellSite()
  const { image } = site
  await createWantedImage(site.cell, site.clock).write({ image, version: 1, fence: 0 }, { signal: quiet() })
  const cell = { name: 'home', region: site.cell.region, deployment: site.cell.deployment }
  server = await startServer({
    BERTH_BACKEND: 'lambda',
    BERTH_CELLS: JSON.stringify([cell]),
    BERTH_HOOK_SECRETS: secret,
    BERTH_SPARES: '0',
    // Nothing on this machine runs code.
    BERTH_PYTHON: '/nowhere/python',
  })
})
afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
  await site?.[Symbol.asyncDispose]()
})

const hook = (payload: unknown) => {
  const body = JSON.stringify(payload)
  const id = randomUUID()
  const at = new Date()
  const headers = {
    'Content-Type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': new Webhook(secret).sign(id, at, body),
  }
  return server.call('POST', '/v1/hooks/identity', { body, headers })
}

test('a user who signs up by the hook gets a function of their own, runs code with files in it, and leaves nothing behind', async () => {
  const alice = server.as('alice')
  const signedUp = await hook({ type: 'user.created', data: { project: 'demo', uid: 'alice' } })
  expect(signedUp).toMatchObject({ status: 202, body: { outcome: 'created' } })

  const first = await alice('POST', '/v1/runs', { json: { language: 'python', code: '6 * 7' } })
  expect(first, JSON.stringify(server.events.filter(({ level }) => level !== 'debug'))).toMatchObject({
    status: 200,
    body: { status: 'succeeded', results: [{ text: '42' }] },
  })
  const id = String(signedUp.body.tenantId)
  const shown = await server.operator('GET', `/v1/tenants/${id}`)
  expect(shown.body.berth).toMatchObject({ state: 'ready', backend: 'lambda', cell: 'home' })

  await alice('PUT', '/v1/files/numbers.csv', { body: 'n\n1\n2\n' })
  const code =
    'import csv\nopen("outputs/sum.txt","w").write(str(sum(int(r["n"]) for r in csv.DictReader(open("numbers.csv")))))\nNone'
  const second = await alice('POST', '/v1/runs', { json: { language: 'python', code, files: ['numbers.csv'] } })
  expect(second.body).toMatchObject({ status: 'succeeded', artifacts: [{ name: 'sum.txt', bytes: 1 }] })
  expect((await alice('GET', `/v1/runs/${second.body.id}/artifacts/sum.txt`)).text).toBe('3')
  expect((await alice('GET', '/v1/files/numbers.csv')).text).toBe('n\n1\n2\n')

  await hook({ type: 'user.deleted', data: { project: 'demo', uid: 'alice' } })
  await expect
    .poll(async () => (await server.operator('GET', `/v1/tenants/${id}/receipt`)).status, { timeout: 60_000 })
    .toBe(200)
  const receipt = (await server.operator('GET', `/v1/tenants/${id}/receipt`)).body
  const kinds = receipt.verifiedAbsent.map(({ kind }: { kind: string }) => kind)
  expect(kinds.length, JSON.stringify(receipt)).toBeGreaterThan(2)
  const left = await server.operator('POST', '/v1/reconcile', { json: { apply: false } })
  expect(left.body.findings).toEqual([])
  expect(left.body.resources).toBe(left.body.rows)
}, 120_000)

test('the server says what berths offer, and is ready, without a runner of its own', async () => {
  const bob = server.as('bob')
  await bob('POST', '/v1/runs', { json: { language: 'python', code: '1' } })

  const runtimes = await bob('GET', '/v1/runtimes')
  const ready = await server.call('GET', '/ready')

  expect(ready.status).toBe(200)
  expect(runtimes.body.capabilities).toMatchObject({ files: true })
  expect(runtimes.body.limits).toMatchObject({ maxTimeoutMs: 110_000, maxMemoryMiB: 768 })
  expect(runtimes.body.runner.image).toContain('@sha256:')
}, 120_000)
