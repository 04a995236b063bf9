import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openLocalWanted } from '../../src/main/local-wanted.ts'
import type { BerthId } from '../../src/domain/ids.ts'
import { codeOf, quiet } from '../contract/content.ts'
import { copyRunner } from '../../scripts/copy-runner.ts'
import { makeMachine, packaged } from './local-machine.ts'

test('a rollout brings all berths to what is installed, with one new runner, and what is wanted says so', async () => {
  await using machine = await makeMachine(7)
  await machine.install(8)
  const planned = await machine.start({ dryRun: true })
  // The control: a plan changes nothing.
  expect([planned.state, await machine.versionOf(0)]).toEqual(['planned', 7])

  const report = await machine.start()

  expect(report).toMatchObject({ state: 'done', reason: null, berths: 7, updated: 7, failed: [] })
  expect([await machine.versionOf(0), await machine.versionOf(6)]).toEqual([8, 8])
  expect(machine.events.filter(({ code }) => code === 'runner.started')).toHaveLength(2)
  expect(await machine.wanted.read({ signal: quiet() })).toMatchObject({ ...machine.fleet.present(), fence: 0 })
})

test('a bad runner is rolled back with the reason, and the next good one goes through', async () => {
  await using machine = await makeMachine(2)
  await machine.install(8)
  await rm(join(machine.runnerDir, 'berth_runner/child/results.py'))

  const report = await machine.start()

  expect(report).toMatchObject({
    state: 'rolled_back',
    reason: expect.stringContaining('2 of 2 berths could not be updated'),
  })
  expect(await machine.versionOf(0)).toBe(7)
  expect(await machine.wanted.read({ signal: quiet() })).toMatchObject(machine.fleet.present())
  await copyRunner(packaged, machine.runnerDir)
  await machine.install(9)
  expect([(await machine.start()).state, await machine.versionOf(0)]).toEqual(['done', 9])
})

test('a runner that passes its tests and then loses output of real runs is undone by the next check', async () => {
  await using machine = await makeMachine(1)
  await machine.install(8)
  const path = join(machine.runnerDir, 'berth_runner/running.py')
  const before = '{"stdout": child.stdout, "stderr": child.stderr}'
  const code = await readFile(path, 'utf8')
  expect(code).toContain(before)
  await writeFile(path, code.replace(before, '{"stderr": child.stdout, "stdout": child.stderr}'))

  const report = await machine.start()

  expect(report).toMatchObject({ state: 'rolled_back', reason: expect.stringContaining('a run of python') })
  expect(machine.events.map(({ code }) => code)).toContain('runner.replaced')
  expect([await machine.versionOf(0), (await machine.wantedNow())?.version]).toEqual([7, 7])
})

test('a machine without berths is brought there too', async () => {
  await using machine = await makeMachine(0)
  await machine.install(8)

  expect(await machine.start()).toMatchObject({ state: 'done', berths: 0 })

  expect(machine.fleet.present().version).toBe(8)
})

test('a fence goes up behind the rollout, is refused beyond what is installed, and outlasts the server', async () => {
  await using machine = await makeMachine(1)
  await machine.install(8)
  expect(await codeOf(machine.start({ fence: 9 }))).toBe('conflict')

  await machine.start({ fence: 8 })

  const fence = await machine.wanted.fences.of('b234567abcdefghi' as BerthId, { signal: quiet() })
  expect(fence).toEqual({ minRunnerVersion: 8, image: machine.fleet.present().image })
  await machine.install(7)
  expect(await codeOf(machine.start())).toBe('conflict')
  const older = { image: `local:7@sha256:${'7'.repeat(64)}`, version: 7 }
  await expect(openLocalWanted(machine.path, older)).rejects.toMatchObject({ code: 'config_invalid' })
  // The control: a runner of that version starts behind the same fence.
  await openLocalWanted(machine.path, { ...older, version: 8 })
  expect(JSON.parse(await readFile(machine.path, 'utf8'))).toMatchObject({ fence: 8, version: 8 })
})
