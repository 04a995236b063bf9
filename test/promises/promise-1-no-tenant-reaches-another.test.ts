import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Berth } from '../../src/client/berth.ts'
import { openSite, type Site, valueOf } from './site.ts'

const secret = 'alice-secret-6f1d'
let site: Site
let alice: Berth
let bob: Berth

beforeAll(async () => {
  site = await openSite()
  ;[alice, bob] = await Promise.all([site.signUp('alice'), site.signUp('bob')])
  await alice.files.upload('secret.txt', secret)
})

afterAll(() => site[Symbol.asyncDispose]())

/** Reads every readable file of the sandbox's tree and of /proc, and says where the needle stands. */
const searchEverywhere = `
import os
def main(variables):
    needle = variables["needle"][::-1].encode()
    found = []
    for folder, _, names in os.walk("/"):
        if folder.startswith(("/usr", "/lib")):
            continue
        for name in names:
            path = os.path.join(folder, name)
            try:
                fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            except OSError:
                continue
            try:
                if needle in os.read(fd, 1 << 20):
                    found.append(path)
            except OSError:
                pass
            finally:
                os.close(fd)
    return found
`

/** The whole tree, on a machine that may do much else. */
const timeoutMs = 80_000

/** Backwards, so that the request itself is no find. */
const variables = { needle: secret.split('').toReversed().join('') }

test("no file of one tenant is anywhere in another tenant's sandbox", async () => {
  const run = await bob.run(searchEverywhere, { variables, timeoutMs })

  expect(valueOf(run)).toEqual([])
})

test('the same search finds the file in its owner’s sandbox (control)', async () => {
  const run = await alice.run(searchEverywhere, { variables, files: ['secret.txt'], timeoutMs })

  expect(valueOf(run)).toEqual([expect.stringMatching(/secret\.txt$/)])
})

test('without a sandbox the same code reads a file by its path, inside it there is none (control)', async () => {
  const path = join(site.dataDir, 'operator.key')
  const read = `open(${JSON.stringify(path)}).read().strip()`
  const python = resolve(import.meta.dirname, '../../.venv/bin/python')

  const { stdout } = await promisify(execFile)(python, ['-c', `print(${read})`])
  const inside = await bob.run(read)

  expect(stdout.trim()).toBe((await readFile(path, 'utf8')).trim())
  expect(inside.error?.name).toBe('FileNotFoundError')
})

test("a run can't name another tenant's file", async () => {
  await expect(bob.run('1', { files: ['secret.txt'] })).rejects.toMatchObject({ code: 'file_not_found' })
})

test('results, logs, events, artifacts and files of another tenant are not there, as if they had never been', async () => {
  const code = 'print("hers")\nopen("outputs/hers.txt", "w").write("hers")'
  const hers = await alice.run(code)
  const tries = [
    () => bob.runs.get(hers.id),
    () => bob.runs.cancel(hers.id),
    () => Array.fromAsync(bob.runs.events(hers.id)),
    () => bob.artifacts.download(hers.id, 'hers.txt'),
    () => bob.files.download('secret.txt'),
    () => bob.files.remove('secret.txt'),
  ]

  const answers = await Promise.allSettled(tries.map((attempt) => attempt()))

  expect(answers.map((answer) => answer.status === 'rejected' && answer.reason.code)).toEqual(
    tries.map(() => 'not_found'),
  )
  expect(await (await alice.artifacts.download(hers.id, 'hers.txt')).text()).toBe('hers')
  expect(await (await alice.files.download('secret.txt')).text()).toBe(secret)
})

test('two runs at the same time see one process each: their own', async () => {
  const code = 'import os, time\ntime.sleep(0.3)\n[name for name in os.listdir("/proc") if name.isdigit()]'

  const runs = await Promise.all([alice.run(code), bob.run(code), bob.run(code)])

  expect(runs.map(valueOf)).toEqual([['1'], ['1'], ['1']])
})
