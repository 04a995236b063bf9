import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { LocalBackendOptions } from '../../../src/backends/local/local-backend.ts'
import type { BerthEvent } from '../../../src/domain/ports/events.ts'
import { createSystemClock } from '../../../src/main/system-clock.ts'
import { codeOf, collect, quiet } from '../../contract/content.ts'
import { copyRunner } from '../../../scripts/copy-runner.ts'
import { makeBackend, makeFolder, oneRun } from './subject.ts'

const packaged = fileURLToPath(new URL('../../../runner-image', import.meta.url))

/** A backend whose runner lies in a folder of its own, where another release can be installed. */
const makeMachine = async ({
  source = packaged,
  ...options
}: Partial<LocalBackendOptions> & { source?: string } = {}) => {
  const folder = await makeFolder()
  const runnerDir = join(folder.path, 'runner')
  await mkdir(runnerDir)
  await copyRunner(source, runnerDir)
  const installVersion = (version: number) => writeFile(join(runnerDir, 'VERSION'), `${version}\n`)
  await installVersion(7)
  const backend = await makeBackend({ runnerDir, ...options })
  const berthId = backend.ids.berthId()
  await backend.berths.create(berthId, { signal: quiet() })
  return {
    ...backend,
    berthId,
    runnerDir,
    installVersion,
    run: (code: string) => oneRun(backend, berthId, { code }),
    update: (image: string) => backend.fleet.update(berthId, image, { signal: quiet() }),
    onDisk: async () => (await backend.fleet.onDisk()).image,
    [Symbol.asyncDispose]: async () => {
      await backend[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}
type Machine = Awaited<ReturnType<typeof makeMachine>>

const pidsOf = (events: readonly BerthEvent[]) =>
  events.filter(({ code }) => code === 'runner.started').map(({ detail }) => Number(detail?.['pid']))

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** Runs code all the time, in a few runs at once, until it is told to stop; what came of each run. */
const constantLoad = (machine: Machine) => {
  const stopping = new AbortController()
  const byCaller: readonly number[][] = [[], [], []]
  const faults: unknown[] = []
  const caller = async (versions: number[]): Promise<void> => {
    while (!stopping.signal.aborted && faults.length === 0) {
      const [ended] = await Promise.allSettled([machine.run('import time\ntime.sleep(0.05)\n6 * 7')])
      if (ended?.status === 'fulfilled' && ended.value.results[0]?.json === 42)
        versions.push(ended.value.runner.version)
      else faults.push(ended)
    }
  }
  const callers = byCaller.map(caller)
  const stop = async (): Promise<void> => {
    stopping.abort()
    await Promise.all(callers)
  }
  return {
    versions: () => byCaller.flat(),
    /** Of each caller's runs, one after the other: those of two callers may end in another order than they began. */
    byCaller,
    faults,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

describe('a release that is installed while the server works', () => {
  test('is taken into use under load without a failed run, and the runner before it ends', async () => {
    await using machine = await makeMachine()
    await using load = constantLoad(machine)
    await expect.poll(() => load.versions().length).toBeGreaterThan(3)
    await machine.installVersion(8)
    // The control: what only lies there is not in use.
    expect((await machine.run('1')).runner.version).toBe(7)

    await machine.update(await machine.onDisk())
    const after = await machine.run('1')
    await expect.poll(() => load.versions().filter((version) => version === 8).length).toBeGreaterThan(3)
    await load.stop()

    expect(load.faults).toEqual([])
    for (const versions of load.byCaller) expect(versions).toEqual(versions.toSorted((one, other) => one - other))
    expect(after.runner).toMatchObject({ version: 8, image: await machine.onDisk() })
    const [before = 0, present = 0] = pidsOf(machine.events)
    await expect.poll(() => machine.events.map(({ code }) => code)).toContain('runner.retired')
    expect([isAlive(before), isAlive(present)]).toEqual([false, true])
  })

  test('lets a run that began before it end in its own time', async () => {
    await using machine = await makeMachine()
    const begun = Promise.withResolvers<void>()
    const long = oneRun(machine, machine.berthId, {
      code: 'import time\nprint("begun", flush=True)\ntime.sleep(1.5)\n"ended"',
      onOutput: () => begun.resolve(),
    })
    await begun.promise
    await machine.installVersion(8)

    await machine.update(await machine.onDisk())

    expect(await long).toMatchObject({ outcome: { status: 'succeeded' }, runner: { version: 7 } })
  })

  test('shows in the listing, for all berths at once, from the moment that runs go there', async () => {
    await using machine = await makeMachine()
    const other = machine.ids.berthId()
    await machine.berths.create(other, { signal: quiet() })
    const images = async () => (await collect(machine.fleet.list({ signal: quiet() }))).map(({ image }) => image)
    const before = await machine.onDisk()
    await machine.installVersion(8)
    expect(await images()).toEqual([before, before])

    await machine.update(await machine.onDisk())

    expect(await images()).toEqual([await machine.onDisk(), await machine.onDisk()])
    // Back again: what was kept is still there, though the folder has another.
    await machine.update(before)
    expect((await machine.run('1')).runner).toMatchObject({ version: 7, image: before })
  })

  test('is found by a runner that starts again after a crash only when it was taken into use', async () => {
    await using machine = await makeMachine()
    await machine.installVersion(8)

    process.kill(pidsOf(machine.events)[0] ?? 0, 'SIGKILL')

    await expect.poll(() => pidsOf(machine.events).length).toBe(2)
    expect((await machine.run('1')).runner.version).toBe(7)
  })
})

const replaceIn = async (dir: string, before: string, after: string): Promise<void> => {
  const path = join(dir, 'berth_runner/supervisor.py')
  const text = await readFile(path, 'utf8')
  expect(text).toContain(before)
  await writeFile(path, text.replace(before, after))
}

describe('a bad release', () => {
  const breakages = {
    'does not start': (dir: string) => writeFile(join(dir, 'berth_runner/local.py'), 'raise SystemExit("broken")\n'),
    'cannot run code': (dir: string) => rm(join(dir, 'berth_runner/child/results.py')),
    'fails its self-test': (dir: string) => replaceIn(dir, '"version": protocol.VERSION', '"version": 0'),
    'has another version than its folder says': (dir: string) =>
      replaceIn(dir, '"version": protocol.VERSION', '"version": protocol.VERSION + 1'),
    'answers slowly': (dir: string) =>
      replaceIn(
        dir,
        '        run_id = request.get(',
        '        await asyncio.sleep(1.5)\n        run_id = request.get(',
      ),
    'cannot run TypeScript': (dir: string) =>
      writeFile(join(dir, 'berth_runner/node/results.mjs'), 'throw new Error("broken")\n'),
    'has no sandbox': (dir: string) => replaceIn(dir, '"level": self.level', '"level": "guard"'),
  }

  test.each(Object.entries(breakages))('that %s is refused, loudly, and the one before serves on', async (_, spoil) => {
    await using machine = await makeMachine()
    await using load = constantLoad(machine)
    await expect.poll(() => load.versions().length).toBeGreaterThan(1)
    const before = machine.fleet.present()
    await machine.installVersion(8)
    await spoil(machine.runnerDir)

    expect(await codeOf(machine.update(await machine.onDisk()))).not.toBe('no error')

    expect(machine.fleet.present()).toEqual(before)
    expect((await machine.run('1')).runner).toMatchObject(before)
    await load.stop()
    expect(load.faults).toEqual([])
    expect(
      machine.events.filter(({ code, level }) => code === 'runner.not_replaced' && level === 'error'),
    ).toHaveLength(1)
    const [present = 0, ...candidates] = pidsOf(machine.events)
    expect([isAlive(present), ...candidates.map(isAlive)]).toEqual([true, ...candidates.map(() => false)])
  })

  test('whose version is none is refused before anything is started', async () => {
    await using machine = await makeMachine()
    await writeFile(join(machine.runnerDir, 'VERSION'), 'eight\n')

    await expect(machine.onDisk()).rejects.toMatchObject({
      code: 'config_invalid',
      message: expect.stringContaining(join(dirname(machine.runnerDir), 'runner/VERSION')),
    })
  })
})

/** A clock on which a time that no test waits for is over when the test says so. */
const makeClock = ({ longMs }: { longMs: number }) => {
  const system = createSystemClock()
  const over = Promise.withResolvers<void>()
  const sleep = (ms: number, signal: AbortSignal) => (ms >= longMs ? over.promise : system.sleep(ms, signal))
  return { clock: { ...system, sleep }, endLongSleeps: over.resolve }
}

describe('runs that do not end', () => {
  test('keep the runner before for a time that is bounded, and so many of those at once; then they and it are gone', async () => {
    const { clock, endLongSleeps } = makeClock({ longMs: 600_000 })
    await using machine = await makeMachine({ clock, spares: 1, nodeSpares: 0 })
    const images = [await machine.onDisk()]
    await machine.installVersion(8)
    images.push(await machine.onDisk())
    const long: Promise<unknown>[] = []
    const holdAndLeave = async (image = ''): Promise<void> => {
      const begun = Promise.withResolvers<void>()
      const code = 'import time\nprint("begun", flush=True)\ntime.sleep(800)'
      const limits = { timeoutMs: 900_000 }
      const reply = oneRun(machine, machine.berthId, { code, limits, onOutput: () => begun.resolve() })
      long.push(
        reply.then(
          ({ outcome }) => outcome.status,
          (error: { code?: unknown }) => error.code,
        ),
      )
      await begun.promise
      await machine.update(image)
    }
    for (const index of [1, 0, 1, 0]) await holdAndLeave(images[index])

    await expect(machine.update(images[1] ?? '')).rejects.toMatchObject({
      code: 'backend_unavailable',
      message: expect.stringContaining('runner.retired'),
    })
    // The control: all of them live, each with its run, until the time is over.
    expect(pidsOf(machine.events).map(isAlive)).toEqual([true, true, true, true, true])
    endLongSleeps()

    for (const ended of await Promise.all(long)) expect(ended).toBe('runner_failed')
    await expect.poll(() => pidsOf(machine.events).map(isAlive)).toEqual([false, false, false, false, true])
    await machine.update(images[1] ?? '')
    expect((await machine.run('1')).runner.version).toBe(8)
  })
})

describe('a new runner that is not proven', () => {
  test('because it leaves and starts again for ever is given up when its time is over', async () => {
    const { clock, endLongSleeps } = makeClock({ longMs: 100_000 })
    await using machine = await makeMachine({ clock, spares: 1, nodeSpares: 0 })
    await machine.installVersion(8)
    await replaceIn(
      machine.runnerDir,
      '        run_id = request.get(',
      '        os._exit(0)\n        run_id = request.get(',
    )
    const update = codeOf(machine.update(await machine.onDisk()))
    await expect.poll(() => pidsOf(machine.events).length).toBeGreaterThan(3)

    endLongSleeps()

    expect(await update).toBe('backend_unavailable')
    expect((await machine.run('1')).runner.version).toBe(7)
    expect(pidsOf(machine.events).map(isAlive).filter(Boolean)).toHaveLength(1)
  })

  test('waits for no process that it has left behind', async () => {
    await using machine = await makeMachine({ spares: 1, nodeSpares: 0 })
    await machine.installVersion(8)
    const pidFile = join(machine.dataDir, 'left-behind')
    await writeFile(
      join(machine.runnerDir, 'berth_runner/local.py'),
      `import os, time\nif os.fork() == 0:\n    os.setsid()\n    open(${JSON.stringify(pidFile)}, "w").write(str(os.getpid()))\n    time.sleep(600)\nraise SystemExit("broken")\n`,
    )

    expect(await codeOf(machine.update(await machine.onDisk()))).toBe('backend_unavailable')

    // It writes its number beside the end of its parent; 0 would be this process and all its own.
    const left = async () => Number(await readFile(pidFile, 'utf8'))
    await expect.poll(left).toBeGreaterThan(0)
    const pid = await left()
    // The control: it outlives the runner, with the runner's pipes.
    expect(isAlive(pid)).toBe(true)
    process.kill(pid, 'SIGKILL')
  })

  test('comes near no berth of a tenant, and neither do tenants that hold every place keep it waiting', async () => {
    await using machine = await makeMachine({ maxConcurrency: 2, spares: 1, nodeSpares: 0 })
    const stopping = new AbortController()
    const held = [1, 2].map(() => {
      const begun = Promise.withResolvers<void>()
      const code = 'import time\nprint("begun", flush=True)\ntime.sleep(600)'
      const reply = oneRun(machine, machine.berthId, {
        code,
        limits: { timeoutMs: 700_000 },
        signal: stopping.signal,
        onOutput: () => begun.resolve(),
      })
      return { reply, begun: begun.promise }
    })
    await Promise.all(held.map(({ begun }) => begun))
    const folder = join(machine.dataDir, 'berths', machine.berthId)
    const before = await stat(join(folder, 'files'))
    await machine.installVersion(8)

    await machine.update(await machine.onDisk())

    expect(machine.fleet.present().version).toBe(8)
    expect((await stat(join(folder, 'files'))).mtimeMs).toBe(before.mtimeMs)
    expect(await readdir(machine.dataDir)).not.toContain('proof')
    // The control: a self-test in the berth would have shown.
    await machine.fleet.selfTest(machine.berthId, { signal: quiet() })
    expect((await stat(join(folder, 'files'))).mtimeMs).toBeGreaterThan(before.mtimeMs)
    stopping.abort()
    for (const { reply } of held) expect((await reply).outcome.status).toBe('canceled')
  })
})

test('closing waits for a runner that was replaced and still has a run', async () => {
  const machine = await makeMachine({ spares: 1, nodeSpares: 0 })
  const begun = Promise.withResolvers<void>()
  const code = 'import time\nprint("begun", flush=True)\ntime.sleep(600)'
  const limits = { timeoutMs: 700_000 }
  const run = oneRun(machine, machine.berthId, { code, limits, onOutput: () => begun.resolve() }).catch(() => null)
  await begun.promise
  await machine.installVersion(8)
  await machine.update(await machine.onDisk())
  // The control: both live.
  expect(pidsOf(machine.events).map(isAlive)).toEqual([true, true])

  await machine[Symbol.asyncDispose]()

  expect(pidsOf(machine.events).map(isAlive)).toEqual([false, false])
  await run
})

test('a runner without a sandbox is not replaced, and the error says why and what to do', async () => {
  // It says of itself whatever level it is given; the real one does not run as root.
  const source = join(import.meta.dirname, 'scripted-runner')
  await using machine = await makeMachine({ source, level: 'guard' })
  const before = machine.fleet.present()
  await machine.installVersion(8)

  await expect(machine.update(await machine.onDisk())).rejects.toMatchObject({
    code: 'unsupported',
    message: expect.stringMatching(/ends every process of its user.*Restart the server/),
  })
  expect([machine.fleet.present(), pidsOf(machine.events).length]).toEqual([before, 1])
})

test('a name of a runner that is a way elsewhere is none', async () => {
  await using machine = await makeMachine()
  for (const name of ['local:7@sha256:../../berths', `local:7@sha256:${'a'.repeat(64)}/..`, '../../..'])
    expect([await machine.fleet.keeps(name), await codeOf(machine.update(name))]).toEqual([false, 'unsupported'])
  // The control: what is kept is found by its name.
  expect(await machine.fleet.keeps(await machine.onDisk())).toBe(true)
})

test('an image that is not on disk is refused with the one that is', async () => {
  await using machine = await makeMachine()
  const foreign = `local:9@sha256:${'9'.repeat(64)}`
  const onDisk = await machine.onDisk()

  await expect(machine.update(foreign)).rejects.toMatchObject({
    code: 'unsupported',
    message: expect.stringContaining(onDisk),
  })
})

test('what a runner left behind that will not start again is swept at the start', async () => {
  await using folder = await makeFolder()
  const scratch = join(folder.path, 'berth/scratch')
  await mkdir(join(scratch, 'before/run-1/deep'), { recursive: true })
  await writeFile(join(scratch, 'before/run-1/deep/secret'), 'of a tenant')

  await using backend = await makeBackend({ dataDir: join(folder.path, 'berth') })

  const left = await readdir(scratch)
  expect(left).toEqual([expect.stringMatching(/^[0-9a-f]{12}$/)])
  expect((await backend.fleet.onDisk()).image).toContain(left[0])
})
