import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { descendants } from '../../../scripts/bench/process-memory.ts'
import { codeOf, quiet } from '../../contract/content.ts'
import { makeBackend, makeFolder, oneRun } from './subject.ts'

const makeBerth = async () => {
  const backend = await makeBackend()
  const berthId = backend.ids.berthId()
  await backend.berths.create(berthId, { signal: quiet() })
  const runnerPid = () => Number(backend.events.findLast((event) => event.code === 'runner.started')?.detail?.['pid'])
  return { ...backend, berthId, runnerPid }
}

/** A process that is gone, or that only waits for its parent to take note, runs no code any more. */
const isAlive = async (pid: number): Promise<boolean> => {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
  return stat !== null && !/\) [ZX] /.test(stat)
}

const survivors = async (pids: readonly number[], withinMs: number): Promise<number[]> => {
  const endAt = performance.now() + withinMs
  for (;;) {
    const alive: number[] = []
    for (const pid of pids) if (await isAlive(pid)) alive.push(pid)
    if (alive.length === 0 || performance.now() > endAt) return alive
    await sleep(20)
  }
}

const SLEEPER =
  'import subprocess, time\nsubprocess.Popen(["sleep", "300"])\nprint("begun", flush=True)\ntime.sleep(300)'

describe('a runner that is killed', () => {
  test('in the middle of a run loses that run with a typed error, and the next run works', async () => {
    await using backend = await makeBerth()
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>()
    const lost = codeOf(oneRun(backend, backend.berthId, { code: SLEEPER, onOutput: () => begin() }))
    await begun
    const processes = await descendants(backend.runnerPid())

    process.kill(backend.runnerPid(), 'SIGKILL')

    expect(await lost).toBe('runner_failed')
    expect((await oneRun(backend, backend.berthId, { code: '1 + 1' })).outcome.status).toBe('succeeded')
    expect(await survivors(processes, 60_000)).toEqual([])
  })
})

describe('closing', () => {
  test('leaves no process behind, not even those of a run under way', async () => {
    const backend = await makeBerth()
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>()
    const run = codeOf(oneRun(backend, backend.berthId, { code: SLEEPER, onOutput: () => begin() }))
    await begun
    const processes = await descendants(backend.runnerPid())

    await backend[Symbol.asyncDispose]()

    expect(await survivors(processes, 60_000)).toEqual([])
    await run
    // The control: there was more than the runner itself.
    expect(processes.length).toBeGreaterThan(3)
  })

  test('twice is fine, and a run afterwards is refused', async () => {
    const backend = await makeBerth()
    await backend[Symbol.asyncDispose]()
    await backend[Symbol.asyncDispose]()

    // Its folder is gone with the test's; what counts is that it says so instead of hanging.
    expect(await codeOf(oneRun(backend, backend.berthId, { code: '1' }))).toBe('backend_unavailable')
  })
})

const startServer = (dataDir: string): ChildProcessByStdio<null, Readable, null> =>
  spawn(process.execPath, [fileURLToPath(new URL('killed-server.ts', import.meta.url)), dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })

describe('a server that is killed', () => {
  test('takes its runner and every sandbox with it', async () => {
    await using folder = await makeFolder()
    const server = startServer(join(folder.path, 'berth'))
    await once(createInterface({ input: server.stdout }), 'line')
    const processes = await descendants(server.pid ?? 0)

    server.kill('SIGKILL')

    expect(await survivors(processes, 60_000)).toEqual([])
    expect(processes.length).toBeGreaterThan(4)
  })
})

describe('recycling', () => {
  test('while runs are under way disturbs none of them', async () => {
    await using backend = await makeBerth()
    const runs = Array.from({ length: 12 }, (_, n) =>
      oneRun(backend, backend.berthId, { code: `import time\ntime.sleep(0.1)\n${n}` }),
    )
    const image = (await backend.dispatch.describe()).runner.image

    await backend.fleet.update(backend.berthId, image, { signal: quiet() })

    expect((await Promise.all(runs)).map((reply) => reply.results[0]?.json)).toEqual(runs.map((_, n) => n))
  })

  test('gives new runs another address layout and hash seed', async () => {
    await using backend = await makeBerth()
    const layout = async () =>
      (await oneRun(backend, backend.berthId, { code: '[str(id(print)), str(hash("abc"))]' })).results[0]?.json
    const before = await layout()
    expect(before).toHaveLength(2)
    // The control: without it, both stay the same.
    expect(await layout()).toEqual(before)

    await backend.fleet.update(backend.berthId, (await backend.dispatch.describe()).runner.image, { signal: quiet() })

    expect(await layout()).not.toEqual(before)
  })
})

test('a listener that throws fails its own run and no other', async () => {
  await using backend = await makeBerth()
  const beside = oneRun(backend, backend.berthId, { code: 'import time\ntime.sleep(0.2)\n"fine"' })

  const broken = oneRun(backend, backend.berthId, {
    code: 'print("x", flush=True)',
    onOutput: () => {
      throw new Error('the listener broke')
    },
  })

  await expect(broken).rejects.toThrow('the listener broke')
  expect((await beside).results[0]?.json).toBe('fine')
  expect(backend.events.filter((event) => event.code === 'runner.started')).toHaveLength(1)
})

test('a refusal for the fence disturbs no other run', async () => {
  await using backend = await makeBerth()
  const others = Array.from({ length: 6 }, (_, n) =>
    oneRun(backend, backend.berthId, { code: `import time\ntime.sleep(0.05)\n${n}` }),
  )

  const refused = await codeOf(oneRun(backend, backend.berthId, { code: '1', minRunnerVersion: 1_000_000 }))
  const after = await oneRun(backend, backend.berthId, { code: '"after"' })

  expect(refused).toBe('runner_outdated')
  expect((await Promise.all(others)).map((reply) => reply.results[0]?.json)).toEqual(others.map((_, n) => n))
  expect(after.outcome.status).toBe('succeeded')
})
