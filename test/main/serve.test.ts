import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { bareEnvironment } from '../support/bare-environment.ts'
import { LIGHT_PYTHON } from '../support/light-python.ts'

const root = resolve(import.meta.dirname, '../..')

const call = async (url: string, path: string, key: string, json: object) => {
  const headers = { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json', 'Berth-Tenant': 'a' }
  const response = await fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(json) })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

const sleep = (seconds: number) => ({
  language: 'python',
  code: `import time\ntime.sleep(${seconds})`,
  timeoutMs: 600_000,
})

/** A tenant has one place and nobody waits, so that a refusal tells that a run is under way. */
const onePlace = { BERTH_CONCURRENCY_PER_TENANT: '1', BERTH_QUEUE_PER_TENANT: '0' }

/** The look whether it runs may have had the place. */
const retried = async (run: () => ReturnType<typeof call>): ReturnType<typeof call> => {
  for (;;) {
    const answer = await run()
    if (answer.body['code'] !== 'queue_full') return answer
  }
}

/** Resolves when the tenant's one place is taken. */
const whenRunning = (url: string, key: string) =>
  expect.poll(async () => (await call(url, '/v1/runs', key, sleep(0))).body['code']).toBe('queue_full')

describe('berth serve', () => {
  let dataDir: string
  let child: ChildProcess
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'berth-serve-'))
  })
  afterEach(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await rm(dataDir, { recursive: true, force: true })
  })

  const start = async (env: Record<string, string> = {}): Promise<string> => {
    child = spawn(process.execPath, ['src/cli/berth.ts', 'serve'], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...bareEnvironment(), BERTH_PORT: '0', BERTH_DATA_DIR: dataDir, BERTH_PYTHON: LIGHT_PYTHON.path, ...env },
    })
    if (child.stdout === null) throw new Error('no output')
    for await (const line of createInterface({ input: child.stdout })) {
      const event = JSON.parse(line) as { code?: string; detail?: { url?: string } }
      if (event.code === 'server.listening') return event.detail?.url ?? ''
    }
    throw new Error('the server ended before it listened')
  }
  const serviceKey = async (url: string): Promise<string> => {
    const operator = (await readFile(join(dataDir, 'operator.key'), 'utf8')).trim()
    return String((await call(url, '/v1/keys', operator, { name: 'k', project: 'demo' })).body['secret'])
  }

  test('ends with 0 on SIGTERM, after the run that is under way', async () => {
    const url = await start(onePlace)
    const key = await serviceKey(url)
    await call(url, '/v1/runs', key, sleep(0))
    const running = retried(() => call(url, '/v1/runs', key, sleep(3)))
    await whenRunning(url, key)
    const ready = await fetch(`${url}/ready`)
    const exited = once(child, 'exit')
    child.kill('SIGTERM')

    expect(ready.status).toBe(200)
    expect((await running).body).toMatchObject({ status: 'succeeded' })
    expect(await exited).toEqual([0, null])
  })

  test('ends at once on a second signal', async () => {
    const url = await start({ ...onePlace, BERTH_SHUTDOWN_SECONDS: '600' })
    const key = await serviceKey(url)
    await call(url, '/v1/runs', key, sleep(0))
    const running = retried(() => call(url, '/v1/runs', key, sleep(500))).catch(() => 'cut')
    await whenRunning(url, key)
    const exited = once(child, 'exit')
    child.kill('SIGINT')
    await expect
      .poll(() =>
        fetch(`${url}/health`).then(
          () => 'open',
          () => 'closed',
        ),
      )
      .toBe('closed')
    child.kill('SIGINT')

    expect(await exited).toEqual([130, null])
    expect(await running).toBe('cut')
  })
})
