import { mkdir, readdir, rm, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { codeOf } from '../contract/content.ts'
import { makeMachine } from './local-machine.ts'

const countIn = (folder: string) => readdir(folder).then((names) => names.length)

describe('the way back on one machine', () => {
  test('leads to the runner before, once however often it is asked for, and outlasts a restart', async () => {
    await using machine = await makeMachine(2)
    await expect(machine.rollBack()).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('berth rollout start --local'),
    })
    await machine.install(8)
    await machine.start()
    await machine.restart()
    // The control: without the way back what was brought is what starts again.
    expect(await machine.versionOf(0)).toBe(8)

    expect(await machine.rollBack()).toMatchObject({ state: 'rolled_back', target: { version: 7 }, updated: 2 })
    expect(await machine.rollBack()).toMatchObject({ state: 'rolled_back', target: { version: 7 }, updated: 0 })

    expect([await machine.versionOf(0), await machine.versionOf(1)]).toEqual([7, 7])
    await machine.restart()
    expect([await machine.versionOf(0), (await machine.wantedNow())?.version]).toEqual([7, 7])
    expect(machine.events.map(({ code }) => code)).toContain('runner.installed_is_unproven')
    // Asked for by name it comes again, and the one after it does at a restart.
    expect([(await machine.start()).state, await machine.versionOf(0)]).toEqual(['done', 8])
    await machine.install(9)
    await machine.restart()
    expect([await machine.versionOf(0), (await machine.rollBack()).target.version]).toEqual([9, 8])
    expect(await countIn(machine.copies)).toBeLessThanOrEqual(2)
  })

  test('is refused behind the fence, and when the copy is damaged, and then nothing has changed', async () => {
    await using machine = await makeMachine(1)
    const [before = ''] = await readdir(machine.copies)
    await machine.install(8)
    await machine.start({ fence: 8 })
    const { stored } = machine
    const kept = await stored()
    expect(await codeOf(machine.rollBack())).toBe('conflict')
    expect(await stored()).toBe(kept)
    await machine.fence(7)

    await writeFile(join(machine.copies, before, 'berth_runner/local.py'), 'raise SystemExit("damaged")\n')

    await expect(machine.rollBack()).rejects.toMatchObject({ message: expect.stringContaining('damaged') })
    expect([await machine.versionOf(0), (await machine.wantedNow())?.version]).toEqual([8, 8])
  })
})

test('a server that was killed after any write of a rollout starts with one runner, says which, and goes on', async () => {
  await using machine = await makeMachine(1)
  const found: string[] = []
  const { change } = machine.wanted
  Object.assign(machine.wanted, {
    change: async (...asked: Parameters<typeof change>) => {
      const wanted = await change(...asked)
      found.push(await machine.stored())
      return wanted
    },
  })
  await machine.install(8)
  await machine.start()
  const places = [...new Set(found)]
  expect(places.length).toBeGreaterThan(1)

  for (const place of places) {
    await machine.restart({ found: place })
    const version = await machine.versionOf(0)
    expect(await machine.wantedNow()).toMatchObject({ version, image: machine.fleet.present().image })
    expect(version).toBe(JSON.parse(place).candidate === undefined ? JSON.parse(place).version : 7)
    expect([(await machine.start()).state, await machine.versionOf(0)]).toEqual(['done', 8])
  }
})

test('two rollouts and a way back at once end with one runner, the one that is wanted, and whoever leaves ends none', async () => {
  await using machine = await makeMachine(1)
  await machine.install(8)
  const gone = new AbortController()
  const left = machine.start({ signal: gone.signal })
  const asked = [machine.start(), machine.rollBack(), machine.start()]
  gone.abort(new DOMException('the caller went away', 'AbortError'))

  await expect(left).rejects.toMatchObject({ name: 'AbortError' })
  expect((await Promise.all(asked)).map(({ state }) => state)).toEqual(['done', 'rolled_back', 'done'])

  expect([await machine.versionOf(0), (await machine.wantedNow())?.version]).toEqual([8, 8])
  await expect.poll(() => machine.events.filter(({ code }) => code === 'runner.retired').length).toBeGreaterThan(1)
})

test('rollouts leave one copy to go back to and no folder of a runner that has ended', async () => {
  await using machine = await makeMachine(0)
  for (const version of [8, 9]) {
    await machine.install(version)
    await machine.start()
  }
  await expect.poll(() => machine.events.filter(({ code }) => code === 'runner.retired').length).toBe(2)

  await machine.start()

  expect([await countIn(machine.copies), await countIn(machine.scratch)]).toEqual([2, 1])
})

test('a fence under constant load lets no run fail and none execute behind it', async () => {
  await using machine = await makeMachine(1)
  await machine.install(8)
  // The control: the runner itself refuses who asks for a newer one.
  expect(await codeOf(machine.run('1', { minRunnerVersion: 8 }))).toBe('runner_outdated')
  expect(await codeOf(machine.fence(8))).toBe('conflict')
  const seen: { fence: number; version: number }[] = []
  const stopping = new AbortController()
  const caller = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const { fence = 0 } = (await machine.wantedNow()) ?? {}
      const { runner, outcome } = await machine.run('6 * 7', { minRunnerVersion: fence })
      expect(outcome.status).toBe('succeeded')
      seen.push({ fence, version: runner.version })
    }
  }
  const callers = Promise.all([caller(), caller(), caller()])
  await expect.poll(() => seen.length).toBeGreaterThan(5)

  await machine.start()
  await machine.fence(8)
  await expect.poll(() => seen.filter(({ fence }) => fence === 8).length).toBeGreaterThan(5)
  stopping.abort()
  await callers

  expect(seen.filter(({ fence, version }) => version < fence)).toEqual([])
  expect(seen.some(({ version }) => version === 7)).toBe(true)
})

describe('a server that starts', () => {
  test('with a release that a rollback left, and without the copy of the one before, refuses and says what to install', async () => {
    await using machine = await makeMachine(0)
    await machine.install(8)
    await machine.start()
    await machine.rollBack()
    const { image } = machine.fleet.present()
    await rm(join(machine.copies, image.slice(image.lastIndexOf(':') + 1)), { recursive: true })

    await expect(machine.restart()).rejects.toMatchObject({
      code: 'config_invalid',
      message: expect.stringContaining('version 8, was left by a rollback'),
    })
    // The control: another release is no reason to refuse.
    await machine.install(9)
    await machine.restart()
    expect(machine.fleet.present().version).toBe(9)
  })

  test('with a file that it cannot read, or that is cut off, refuses with its path', async () => {
    await using machine = await makeMachine(0)
    const whole = await machine.stored()
    for (const found of ['', whole.slice(0, -20), '[]'])
      await expect(machine.restart({ found })).rejects.toMatchObject({
        code: 'config_invalid',
        message: expect.stringContaining(machine.path),
      })
    await rm(machine.path)
    await mkdir(machine.path)
    await expect(machine.restart()).rejects.toMatchObject({
      code: 'config_invalid',
      message: expect.stringContaining('EISDIR'),
    })
    await rmdir(machine.path)
    // The control: what was there before is good.
    await machine.restart({ found: whole })
  })
})

test('a server that ends in the middle of a rollout does not take that for the fault of the image', async () => {
  await using machine = await makeMachine(1)
  await machine.install(8)
  const { change } = machine.wanted
  const begun = Promise.withResolvers<void>()
  Object.assign(machine.wanted, {
    change: async (...asked: Parameters<typeof change>) => {
      const wanted = await change(...asked)
      begun.resolve()
      return wanted
    },
  })
  const rollout = codeOf(machine.start())
  await begun.promise

  await machine.stop()

  expect(await rollout).toBe('shutting_down')
  expect(JSON.parse(await machine.stored())).toMatchObject({ version: 7, candidate: { version: 8 }, declined: null })
  await machine.restart()
  expect([await machine.versionOf(0), (await machine.start()).state, await machine.versionOf(0)]).toEqual([
    7,
    'done',
    8,
  ])
})

test('what cannot be written down is refused with the reason, and nothing has changed', async () => {
  await using machine = await makeMachine(1)
  await machine.install(8)
  // Stands for a full disk: the file beside it cannot be made.
  await mkdir(`${machine.path}.new`)
  const before = await machine.stored()

  await expect(machine.start()).rejects.toMatchObject({
    code: 'backend_unavailable',
    message: expect.stringContaining('make room'),
  })

  expect([await machine.versionOf(0), await machine.stored()]).toEqual([7, before])
  await rmdir(`${machine.path}.new`)
  expect((await machine.start()).state).toBe('done')
})
