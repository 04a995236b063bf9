import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeBackend, oneRun } from '../backends/local/subject.ts'

const code = 'open("outputs/started", "w").write("x")'

const openBerth = async () => {
  const backend = await makeBackend()
  const berthId = backend.ids.berthId()
  await backend.berths.create(berthId, { signal: AbortSignal.timeout(120_000) })
  const { runner } = await backend.dispatch.describe()
  return { backend, berthId, version: runner.version }
}

test('a runner older than the fence refuses the run, and its code never starts', async () => {
  const { backend, berthId, version } = await openBerth()
  await using _ = backend

  await expect(oneRun(backend, berthId, { code, minRunnerVersion: version + 1 })).rejects.toMatchObject({
    code: 'runner_outdated',
  })

  expect(await readdir(join(backend.dataDir, 'berths', berthId, 'runs'))).toEqual([])
})

test('the same run starts when the fence is where the runner is (control)', async () => {
  const { backend, berthId, version } = await openBerth()
  await using _ = backend

  const reply = await oneRun(backend, berthId, { code, minRunnerVersion: version })

  expect(reply.outcome.status).toBe('succeeded')
  expect(reply.artifacts.map(({ name }) => name)).toEqual(['started'])
})
