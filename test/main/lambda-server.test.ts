// @module-tag aws-local
import { randomBytes, randomUUID } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readFunction } from '../../src/backends/lambda/lambda-functions.ts'
import { createWantedImage } from '../../src/aws/wanted-image.ts'
import { quiet } from '../contract/content.ts'
import { berth } from '../cli/berth-process.ts'
import { type CellSite, openCellSite } from '../backends/lambda/cell-site.ts'
import { type RunningServer, startServer } from '../support/running-server.ts'
import { createHastyClock } from '../../scripts/live-smoke/hasty-clock.ts'

const secret = `whsec_${randomBytes(32).toString('base64')}`

let site: CellSite
let server: RunningServer
let cells: string

beforeAll(async () => {
  site = await openCellSite()
  const { image } = site
  await createWantedImage(site.cell, site.clock).write({ image, version: 1, fence: 0 }, { signal: quiet() })
  cells = JSON.stringify([{ name: 'home', region: site.cell.region, deployment: site.cell.deployment }])
  server = await startServer(
    {
      BERTH_BACKEND: 'lambda',
      BERTH_CELLS: cells,
      BERTH_HOOK_SECRETS: secret,
      BERTH_SPARES: '0',
      // Nothing on this machine runs code.
      BERTH_PYTHON: '/nowhere/python',
    },
    { clock: createHastyClock() },
  )
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

  const redirected = await alice('GET', '/v1/files/numbers.csv?direct=true')
  expect([redirected.status, redirected.headers.get('cache-control')]).toEqual([307, 'no-store'])
  const direct = await fetch(String(redirected.headers.get('location')))
  expect(await direct.text()).toBe('n\n1\n2\n')
  expect((await alice('GET', '/v1/files/none.csv?direct=true')).status).toBe(404)

  await hook({ type: 'user.deleted', data: { project: 'demo', uid: 'alice' } })
  await expect.poll(async () => (await server.operator('GET', `/v1/tenants/${id}/receipt`)).status).toBe(200)
  const receipt = (await server.operator('GET', `/v1/tenants/${id}/receipt`)).body
  const kinds = receipt.verifiedAbsent.map(({ kind }: { kind: string }) => kind)
  expect(kinds.length, JSON.stringify(receipt)).toBeGreaterThan(2)
  const left = await server.operator('POST', '/v1/reconcile', { json: { apply: false } })
  expect(left.body.findings).toEqual([])
  expect(left.body.resources).toBe(left.body.rows)
})

test('the server says what berths offer, and is ready, without a runner of its own', async () => {
  const bob = server.as('bob')
  await bob('POST', '/v1/runs', { json: { language: 'python', code: '1' } })

  const runtimes = await bob('GET', '/v1/runtimes')
  const ready = await server.call('GET', '/ready')

  expect(ready.status).toBe(200)
  expect(runtimes.body.capabilities).toMatchObject({ files: true })
  expect(runtimes.body.limits).toMatchObject({ maxTimeoutMs: 110_000, maxMemoryMiB: 768 })
  expect(runtimes.body.runner.version).toBeGreaterThan(0)
})

test('commands for the cell see its berths: upgrade changes memory and keeps the image, destroy refuses', async () => {
  const carol = server.as('carol')
  await carol('POST', '/v1/runs', { json: { language: 'python', code: '1' } })
  const [settings] = JSON.parse(cells)
  const env = { ...site.aws.env, BERTH_CELLS: JSON.stringify([{ ...settings, functions: { memoryMiB: 1536 } }]) }

  const dry = await berth(['upgrade', '--json'], { env })
  const upgraded = await berth(['upgrade', '--apply', '--json'], { env })
  const again = await berth(['upgrade', '--apply', '--json'], { env })
  const destroyed = await berth(['destroy', '--yes', '--json'], { env })
  const after = await carol('POST', '/v1/runs', { json: { language: 'python', code: '2' } })

  expect(JSON.parse(dry.stdout)).toMatchObject({ applied: false, cells: [{ upgraded: 0, failed: [] }] })
  expect(JSON.parse(dry.stdout).cells[0].berths).toBeGreaterThan(0)
  const { berths } = JSON.parse(upgraded.stdout).cells[0]
  expect(JSON.parse(upgraded.stdout), upgraded.stderr).toMatchObject({ cells: [{ upgraded: berths, failed: [] }] })
  expect(JSON.parse(again.stdout)).toMatchObject({ cells: [{ upgraded: 0, unchanged: berths, failed: [] }] })
  expect(destroyed.code).toBe(2)
  expect(JSON.parse(destroyed.stdout).error.detail).toMatch(/^\d+ berths? remains? in deployment berth \(b/)
  expect(after.body.status).toBe('succeeded')
  const { body } = await carol('GET', '/v1/me')
  const found = await readFunction(site.cell, body.berth.id, { priority: 'waiting', signal: quiet() })
  expect(found?.image).toBe(site.image)
})
