import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { json, startScriptedServer } from '../client/scripted-server.ts'
import { berth } from './berth-process.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-input-'))
  await writeFile(join(folder, 'code.py'), '1')
  await writeFile(join(folder, 'latin.py'), Buffer.from([0x27, 0xe9, 0x27]))
})

/** Nobody answers: what is wrong here is told before anything is sent. */
const run = (...args: string[]) =>
  berth([...args, '--tenant', 'alice'], { cwd: folder, env: { BERTH_KEY: 'k', BERTH_URL: 'http://127.0.0.1:9' } })

test.each([
  [
    'a profile that does not exist',
    ['run', 'code.py', '--profile', 'fast'],
    '--profile: expected default or evaluator, got "fast"',
  ],
  ['code that is not UTF-8', ['run', 'latin.py'], 'latin.py cannot be read: it is not UTF-8'],
  ['a folder as code', ['run', '.', '--language', 'python'], '. cannot be read: EISDIR'],
  ['an upload that is not there', ['files', 'put', 'nope.csv'], 'nope.csv cannot be read: ENOENT'],
  ['an upload of a folder', ['files', 'put', '.', 'name'], '. cannot be read: it is no regular file'],
])('%s is refused with what was expected, and exits with 2', async (_name, args, told) => {
  const { code, stdout, stderr } = await run(...args)

  expect(stderr.split('\n')[0]).toBe(`berth: ${told} (invalid_request)`)
  expect([code, stdout]).toEqual([2, ''])
})

test('a byte order mark before the code is none of it', async () => {
  await writeFile(join(folder, 'windows.py'), '\uFEFFprint(1)')
  const done = { id: 'r1', status: 'succeeded', results: [], logs: {}, artifacts: [] }
  await using server = await startScriptedServer([json(200, done)])
  await berth(['run', 'windows.py', '--tenant', 'alice', '--json'], {
    cwd: folder,
    env: { BERTH_KEY: 'k', BERTH_URL: server.baseUrl },
  })

  expect(server.received.at(-1)?.body).toContain('"code":"print(1)"')
})
