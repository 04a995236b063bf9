import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { compose } from '../../src/main/compose.ts'
import { parseConfig } from '../../src/main/config.ts'
import { ids } from '../support/provisioning-site.ts'
import { type Answer, startServer } from '../support/running-server.ts'

const sleepy = (seconds: number) => ({
  json: { language: 'python', code: `import time\ntime.sleep(${seconds})\n"slept"` },
})

const use = async (url: string, key: string) =>
  (await fetch(`${url}/v1/keys`, { headers: { Authorization: `Bearer ${key}` } })).status

/** The look whether it runs may have had the place. */
const placed = async (run: () => Promise<Answer>): Promise<Answer> => {
  for (;;) {
    const answer = await run()
    if (answer.body.code !== 'queue_full') return answer
  }
}

describe('a server that stops', () => {
  test('lets a running run end, takes no new one, and closes', async () => {
    // A tenant has one place and nobody waits, so that a refusal tells that the run is under way.
    const onePlace = { BERTH_CONCURRENCY_PER_TENANT: '1', BERTH_QUEUE_PER_TENANT: '0' }
    await using server = await startServer({ ...onePlace, BERTH_SHUTDOWN_SECONDS: '120' })
    const alice = server.as('alice')
    await alice('POST', '/v1/runs', sleepy(0))
    const running = placed(() => alice('POST', '/v1/runs', sleepy(4)))
    await expect.poll(async () => (await alice('POST', '/v1/runs', sleepy(0))).body.code).toBe('queue_full')
    const stopped = server.composed.stop()
    const { status, body } = await running
    await stopped

    expect(status).toBe(200)
    expect(body).toMatchObject({ status: 'succeeded', results: [{ text: "'slept'" }] })
    await expect(alice('GET', '/health')).rejects.toThrow('fetch failed')
  })

  test('ends event streams, whose readers come back elsewhere', async () => {
    await using server = await startServer({ BERTH_SHUTDOWN_SECONDS: '1' })
    const alice = server.as('alice')
    await alice('POST', '/v1/runs', sleepy(0))
    const { body } = await alice('POST', '/v1/runs', { ...sleepy(60), headers: { Prefer: 'respond-async' } })
    const stream = await server.fetch('GET', `/v1/runs/${body.id}/events`, { key: server.serviceKey, tenant: 'alice' })
    const reader = stream.body?.getReader()
    await reader?.read()
    await server.composed.stop()
    const drain = async (): Promise<boolean> => {
      for (;;) {
        const step = await reader?.read()
        if (step?.done !== false) return true
      }
    }

    expect(await drain().catch(() => true)).toBe(true)
  })

  test('can be stopped twice', async () => {
    await using server = await startServer()
    await server.composed.stop()

    await expect(server.composed.stop()).resolves.toBeUndefined()
  })
})

describe('the first operator key', () => {
  let dataDir: string
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'berth-life-'))
  })
  afterEach(() => rm(dataDir, { recursive: true, force: true }))

  const start = (env: Record<string, string> = {}) =>
    compose(
      parseConfig({
        BERTH_PORT: '0',
        BERTH_DATA_DIR: dataDir,
        BERTH_LOG_LEVEL: 'silent',
        BERTH_SPARES: '0',
        BERTH_LOCAL_SPARES: '1',
        BERTH_LOCAL_NODE_SPARES: '0',
        ...env,
      }),
    )

  test('is written for its owner only, and stays the same over a restart', async () => {
    const file = join(dataDir, 'operator.key')
    const first = await start()
    const secret = (await readFile(file, 'utf8')).trim()
    const status = await use(first.url, secret)
    await first.stop()
    await using second = await start()

    expect(status).toBe(200)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect(await use(second.url, secret)).toBe(200)
    expect((await readFile(file, 'utf8')).trim()).toBe(secret)
  })

  test('is not written when one is configured', async () => {
    const secret = `berth_${'c'.repeat(32)}`
    await using server = await start({ BERTH_OPERATOR_KEY: secret })

    expect(await use(server.url, secret)).toBe(200)
    await expect(stat(join(dataDir, 'operator.key'))).rejects.toThrow('ENOENT')
  })

  test('stops the start when its file is broken, and nothing stays open behind it', async () => {
    await writeFile(join(dataDir, 'operator.key'), '', { mode: 0o600 })
    await chmod(dataDir, 0o700)

    await expect(start()).rejects.toMatchObject({ code: 'config_invalid' })
    await rm(join(dataDir, 'operator.key'))
    await using server = await start()
    expect(server.url).toMatch(/^http/)
  })
})

describe('a port that is taken', () => {
  test('is an error of the configuration, and the folder is free again', async () => {
    await using server = await startServer()
    const dataDir = await mkdtemp(join(tmpdir(), 'berth-port-'))
    const env = { BERTH_DATA_DIR: dataDir, BERTH_LOG_LEVEL: 'silent', BERTH_SPARES: '0', BERTH_LOCAL_NODE_SPARES: '0' }
    const { port } = new URL(server.url)

    await expect(compose(parseConfig({ ...env, BERTH_PORT: port }))).rejects.toMatchObject({ code: 'config_invalid' })
    await (await compose(parseConfig({ ...env, BERTH_PORT: '0' }))).stop()
    await rm(dataDir, { recursive: true, force: true })
  })
})

describe('a store with berths of another backend', () => {
  test('is not cleared of them: what lives on AWS is not reported as gone from this machine', async () => {
    await using server = await startServer({ BERTH_SPARES: '0' })
    const { store, provisioner } = server.composed
    const externalId = { project: 'demo', identityTenant: '', uid: 'abroad' }
    const made = { newTenantId: ids.tenantId(), newBerthId: ids.berthId(), backend: 'lambda', cell: 'eu' }
    const { tenant } = await store.tenants.signUp({ externalId, event: null, ...made, maxBerths: 10, now: new Date() })
    await provisioner.requestDeletion(externalId, null)

    const retried = () =>
      server.events.find(({ code, berthId }) => code === 'berth.retry' && berthId === made.newBerthId)
    await expect.poll(retried).toBeDefined()

    expect(retried()?.detail?.['reason']).toContain('lives on backend lambda')
    expect((await store.tenants.find(tenant.id))?.state).toBe('deprovisioning')
  })
})
