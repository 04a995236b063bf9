import { createHash, randomInt } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { type Berth, createBerth } from '../../src/client/berth.ts'
import { type Acknowledged, applyLoad, project } from './load.ts'
import { createServerUnderTest, type ServerUnderTest } from './server-under-test.ts'

/** Rounds of load that end with kill -9, per store. */
export const ROUNDS = 50
/** Of each kind at least, at the mean of all rounds: enough of it to say anything. */
const EACH_ROUND = 0.6

/** What is acknowledged under load and `kill -9` is all there in the end. */
export const expectNothingLostOver = async (env: Readonly<Record<string, string>>): Promise<void> => {
  const dataDir = await mkdtemp(join(tmpdir(), 'berth-kill-nine-'))
  try {
    await using server = await createServerUnderTest({
      BERTH_DATA_DIR: dataDir,
      BERTH_MAX_BERTHS: '100000',
      BERTH_RATE_PER_MINUTE: '100000',
      BERTH_SPARES: '3',
      BERTH_LOCAL_SPARES: '1',
      BERTH_LOCAL_NODE_SPARES: '0',
      ...env,
    })

    await liveOnce(server)
    const { acknowledged, key } = await killUnderLoad(server)

    for (const list of Object.values(acknowledged)) expect(list.length).toBeGreaterThan(ROUNDS / 2)
    await expectNothingLost(server, acknowledged, key)
    await expectOneBerthEach(server, acknowledged, dataDir)
  } finally {
    await rm(dataDir, { recursive: true, force: true, maxRetries: 5 })
  }
}

const operatorOf = (server: ServerUnderTest): Berth => createBerth({ baseUrl: server.url, key: server.operatorKey })

const countOf = ({ uids, files, runs }: Acknowledged): number => uids.length + files.length + runs.length

interface Enough {
  /** Of all kinds together, besides what there is. */
  readonly more: number
  /** Of each kind. */
  readonly each: number
}

/** So every round has something to lose, and in the end there is some of each kind, however slow the machine is. */
const enoughIsAcknowledged = async (acknowledged: Acknowledged, { more, each }: Enough): Promise<void> => {
  const target = countOf(acknowledged) + more
  const isEnough = (): boolean =>
    countOf(acknowledged) >= target && Object.values(acknowledged).every((list) => list.length >= each)
  while (!isEnough()) await delay(2)
}

/** A server that is killed keeps nothing of what Node has compiled; one that ends does, and a hundred starts are faster for it. */
const liveOnce = async (server: ServerUnderTest): Promise<void> => {
  await server.start()
  await server.end()
}

const killUnderLoad = async (server: ServerUnderTest): Promise<{ acknowledged: Acknowledged; key: string }> => {
  const acknowledged: Acknowledged = { uids: [], files: [], runs: [] }
  await server.start()
  const { secret: key } = await operatorOf(server).keys.create({ name: 'load', role: 'service', project })
  for (let round = 0; round < ROUNDS; round += 1) {
    const stop = new AbortController()
    const load = applyLoad({ server, key, acknowledged, signal: stop.signal })
    await Promise.race([load, enoughIsAcknowledged(acknowledged, { more: randomInt(3, 16), each: round * EACH_ROUND })])
    await delay(randomInt(0, 30))
    await server.kill()
    stop.abort()
    await load
    await server.start()
  }
  return { acknowledged, key }
}

const expectNothingLost = async (server: ServerUnderTest, acknowledged: Acknowledged, key: string): Promise<void> => {
  const as = (tenant: string): Berth => createBerth({ baseUrl: server.url, key, tenant })
  for (const { uid, id, token } of acknowledged.runs) {
    const run = await as(uid).runs.wait(id, { signal: AbortSignal.timeout(300_000) })
    expect(run.status, `run ${id}: ${JSON.stringify(run.failure)}`).toBe('succeeded')
    expect(run.results[0]?.text).toContain(token)
  }
  for (const { uid, name, sha256 } of acknowledged.files) {
    const file = await as(uid).files.download(name)
    const hash = createHash('sha256')
    for await (const chunk of file.stream) hash.update(chunk)
    expect(hash.digest('hex'), name).toBe(sha256)
  }
}

const expectOneBerthEach = async (
  server: ServerUnderTest,
  acknowledged: Acknowledged,
  dataDir: string,
): Promise<void> => {
  const operator = operatorOf(server)
  await expect.poll(() => findings(operator), { timeout: 300_000, interval: 250 }).toEqual([])
  const tenants = await Array.fromAsync(operator.tenants.list())
  const known = new Map(tenants.map((tenant) => [tenant.externalId?.uid, tenant]))
  const berthIds = acknowledged.uids.map((uid) => known.get(uid)?.berth?.id)
  expect(berthIds.filter((id) => id === undefined)).toEqual([])
  expect(new Set(berthIds).size).toBe(acknowledged.uids.length)
  const states = new Set(acknowledged.uids.map((uid) => known.get(uid)?.berth?.state))
  expect([...states]).toEqual(['ready'])
  // Every folder belongs to a tenant or is one of the spares; the reconcile above found no gap either way.
  const folders = await readdir(join(dataDir, 'berths'))
  expect(folders.length).toBeGreaterThanOrEqual(tenants.length)
}

const findings = async (operator: Berth): Promise<unknown> => (await operator.reconcile()).findings
