import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { whyNoEmulators } from './emulator-paths.ts'

let modules: string
beforeAll(async () => {
  modules = await mkdtemp(join(tmpdir(), 'berth-emulators-'))
})
afterAll(() => rm(modules, { recursive: true }))

test('where the emulators are not whole, one line says why and what to do; where they are, nothing is missing', async () => {
  const answers: (string | null)[] = [whyNoEmulators(modules)]
  for (const name of ['firebase-tools', 'firebase-functions', 'firebase-admin']) {
    await mkdir(join(modules, name))
    await writeFile(join(modules, name, 'package.json'), '{}')
    answers.push(whyNoEmulators(modules))
  }

  const missing = expect.stringMatching(/^the Firebase emulators are not installed; [^\n]*setup\.sh --for-tests$/)
  expect(answers).toEqual([missing, missing, missing, null])
})
