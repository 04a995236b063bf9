// @module-tag aws-local
import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createHastyClock } from '../../scripts/live-smoke/hasty-clock.ts'
import { createWantedImage } from '../../src/aws/wanted-image.ts'
import { type CellSite, openCellSite } from '../backends/lambda/cell-site.ts'
import { berth } from '../cli/berth-process.ts'
import { quiet } from '../contract/content.ts'
import { type RunningServer, startServer } from '../support/running-server.ts'

const operatorKey = `berth_${Array.from(randomBytes(32), (byte) => 'abcdefghijklmnopqrstuvwxyz234567'[byte % 32]).join('')}`
let aws: CellSite
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-lost-'))
  aws = await openCellSite()
  await createWantedImage(aws.cell, aws.clock).write({ image: aws.image, version: 1, fence: 0 }, { signal: quiet() })
})
afterAll(async () => {
  await aws?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, maxRetries: 5 })
})

const settings = {
  local: () => ({ BERTH_BACKEND: 'local' }),
  lambda: () => ({
    BERTH_BACKEND: 'lambda',
    BERTH_CELLS: JSON.stringify([{ name: 'home', region: aws.cell.region, deployment: aws.cell.deployment }]),
    BERTH_PYTHON: '/nowhere/python',
  }),
}

const loseDatabase = async (dataDir: string): Promise<void> => {
  const names = (await readdir(dataDir)).filter((name) => name.includes('.db') || name.includes('sqlite'))
  expect(names.length).toBeGreaterThan(0)
  for (const name of names) await rm(join(dataDir, name))
}

const recorded = (server: RunningServer, count: number) =>
  expect.poll(() => server.events.filter(({ code }) => code === 'berth.owner_recorded').length).toBe(count)

const reads = (server: RunningServer, name: string, file: string) =>
  server.as(name)('POST', '/v1/runs', {
    json: { language: 'python', code: `open(${JSON.stringify(file)}).read()`, files: [file] },
  })

// On both backends the server, the client and the runner are the real ones.
test.each(['local', 'lambda'] as const)(
  'on %s two tenants find their own files, and not each other’s, after the database was deleted and rebuilt',
  async (backend) => {
    const dataDir = join(folder, backend)
    const env = { ...settings[backend](), BERTH_DATA_DIR: dataDir, BERTH_OPERATOR_KEY: operatorKey, BERTH_SPARES: '0' }
    const ids: Record<string, string> = {}
    {
      await using server = await startServer(env, { clock: createHastyClock() })
      for (const name of ['alice', 'bob']) {
        const put = await server.as(name)('PUT', `/v1/files/${name}.txt`, { body: `of ${name}` })
        expect(put.status, put.text).toBeLessThan(300)
        ids[name] = (await server.as(name)('GET', '/v1/me')).body.berth.id
      }
      await recorded(server, 2)
    }
    await loseDatabase(dataDir)

    await using server = await startServer(env, { clock: createHastyClock() })
    const cli = async (...args: readonly string[]) =>
      berth(['reconcile', ...args], {
        env: { BERTH_URL: server.url, BERTH_OPERATOR_KEY: operatorKey, BERTH_KEY: operatorKey },
      })
    const dry = await cli('--rebuild')
    const applied = await cli('--rebuild', '--apply', '--json')

    expect(dry.stdout, dry.stderr).toContain('lost_row')
    expect(dry.stdout).toContain('berth reconcile --rebuild --apply')
    expect(JSON.parse(applied.stdout).findings, applied.stderr).toMatchObject([
      { kind: 'lost_row', action: 'adopt', done: true },
      { kind: 'lost_row', action: 'adopt', done: true },
    ])
    for (const [name, other] of [
      ['alice', 'bob'],
      ['bob', 'alice'],
    ] as const) {
      const own = await reads(server, name, `${name}.txt`)
      expect(own.body, own.text).toMatchObject({ status: 'succeeded', results: [{ text: `'of ${name}'` }] })
      expect((await server.as(name)('GET', `/v1/files/${other}.txt`)).status).toBe(404)
      expect((await server.as(name)('GET', '/v1/me')).body.berth.id).toBe(ids[name])
    }
    expect((await server.operator('POST', '/v1/reconcile', { json: { deep: true } })).body.findings).toEqual([])
  },
)
