import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RunId, TenantId } from '../../src/domain/ids.ts'
import type { Store } from '../../src/domain/ports/store.ts'
import { openStore } from '../../src/store/open-store.ts'
import { clock, hasCode } from '../contract/store-site.ts'
import { type PostgresServer, startPostgres } from '../support/postgres.ts'

interface Config {
  readonly databaseUrl: string | null
  readonly dataDir: string
}

interface Written {
  readonly tenantId: TenantId
  readonly runId: RunId
}

const WRITER = fileURLToPath(new URL('../support/store-writer.ts', import.meta.url))

/** Lets a real server write until it has answered `count` times, then kills it where it stands. */
const writeAndKill = async (
  config: Config,
  options: { mode: 'acknowledged' | 'promised'; count: number },
): Promise<readonly Written[]> => {
  const child = spawn(process.execPath, [WRITER, JSON.stringify(config), options.mode], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  const lines: Written[] = []
  for await (const line of createInterface(child.stdout)) {
    lines.push(JSON.parse(line) as Written)
    if (lines.length === options.count) child.kill('SIGKILL')
  }
  const [, signal] = await ended
  expect(signal).toBe('SIGKILL')
  return lines
}

const isLost = async (store: Store, { tenantId, runId }: Written): Promise<boolean> => {
  const [tenant, berth, run] = await Promise.all([
    store.tenants.find(tenantId),
    store.berths.findByTenant(tenantId),
    store.runs.find(tenantId, runId),
  ])
  return tenant === null || berth === null || run === null
}

const lostOf = async (config: Config, written: readonly Written[]): Promise<readonly Written[]> => {
  await using store = await openStore({ ...config, clock })
  const lost: Written[] = []
  for (const one of written) if (await isLost(store, one)) lost.push(one)
  return lost
}

const countTenants = async (config: Config): Promise<{ tenants: number; berths: number }> => {
  await using store = await openStore({ ...config, clock })
  const { entries } = await store.tenants.list({ cursor: null, limit: 100_000, state: 'active' })
  return { tenants: entries.length, berths: (await store.berths.countByState()).provisioning }
}

const describeKills = (makeConfig: () => Promise<Config>): void => {
  test('nothing acknowledged is lost by kill -9, and no tenant is half made', async () => {
    const config = await makeConfig()
    const all: Written[] = []

    for (let round = 0; round < 5; round += 1) {
      all.push(...(await writeAndKill(config, { mode: 'acknowledged', count: 20 + round * 15 })))
      expect(await lostOf(config, all)).toEqual([])
    }

    const { tenants, berths } = await countTenants(config)
    expect(tenants).toBeGreaterThanOrEqual(all.length)
    expect(berths).toBe(tenants)
    // Five starts of a real process: slow where other tests keep the processors busy.
  })

  test('the control: what is answered before the store has said so does get lost', async () => {
    const config = await makeConfig()

    const promised = await writeAndKill(config, { mode: 'promised', count: 40 })

    expect(await lostOf(config, promised)).not.toEqual([])
  })
}

describe('SQLite and kill -9', () => {
  const folders: string[] = []
  afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true })))
  const makeConfig = async (): Promise<Config> => {
    const dataDir = mkdtempSync(join(tmpdir(), 'berth-kill-'))
    folders.push(dataDir)
    return { databaseUrl: null, dataDir }
  }

  describeKills(makeConfig)

  test('the folder is refused while another process has it, and free the moment that one is killed', async () => {
    const config = await makeConfig()
    const child = spawn(process.execPath, [WRITER, JSON.stringify(config), 'acknowledged'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')

    await expect(openStore({ ...config, clock })).rejects.toMatchObject(hasCode('data_dir_locked'))
    child.kill('SIGKILL')
    await once(child, 'exit')

    await using store = await openStore({ ...config, clock })
    await store.ping({ signal: AbortSignal.timeout(60_000) })
  })
})

describe('Postgres and kill -9', { tags: ['postgres'] }, () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server[Symbol.asyncDispose]())

  describeKills(async () => ({ databaseUrl: await server.createDatabase(), dataDir: '' }))
})
