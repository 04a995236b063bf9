import { mkdir, readdir, symlink } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createRunnerImages } from '../../../src/backends/local/runner-images.ts'
import { codeOf } from '../../contract/content.ts'
import { copyRunner } from '../../../scripts/copy-runner.ts'
import { makeFolder } from './subject.ts'

const packaged = fileURLToPath(new URL('../../../runner-image', import.meta.url))

/** A runner's folder in which this name is listed below `__pycache__`, and is gone when it is looked at. */
const makeSite = async (vanishing: string) => {
  const folder = await makeFolder()
  const [runnerDir, copies] = [join(folder.path, 'runner'), join(folder.path, 'copies')]
  await copyRunner(packaged, runnerDir)
  const compiled = join(runnerDir, 'berth_runner/__pycache__')
  await mkdir(compiled, { recursive: true })
  await symlink('/nowhere', join(compiled, vanishing))
  return { images: createRunnerImages(runnerDir, copies), [Symbol.asyncDispose]: folder[Symbol.asyncDispose] }
}

test('a runner is copied while Python compiles it: what is being written there is left out', async () => {
  await using site = await makeSite('vanished.cpython-311.pyc.140231')

  const { dir, version } = await site.images.keep()

  expect(version).toBeGreaterThan(0)
  expect(await readdir(join(dir, 'berth_runner'))).toContain('config.py')
})

test('control: any other file that is gone is told', async () => {
  await using site = await makeSite('vanished.cpython-311.pyc')

  expect(await codeOf(site.images.keep())).toBe('config_invalid')
})
