import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { json, startScriptedServer, type Step } from '../client/scripted-server.ts'
import { berth, spawnBerth } from './berth-process.ts'

const temporaryFolder = async () => {
  const path = await mkdtemp(join(tmpdir(), 'berth-cli-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}

const service = json(200, { caller: 'service' })
const half: Step = (response) => void response.writeHead(200, { 'Content-Length': '100' }).write('half')
const whole: Step = (response) => void response.writeHead(200).end('whole')
const envOf = (server: { readonly baseUrl: string }) => ({
  BERTH_KEY: 'k',
  BERTH_TENANT: 'alice',
  BERTH_URL: server.baseUrl,
})

test.each([
  ['under its own name', ['sales.csv']],
  ['to a path', ['sales.csv', 'sales.csv']],
])('a download %s that is interrupted leaves the old file and nothing else', async (_name, args) => {
  await using folder = await temporaryFolder()
  await using server = await startScriptedServer([service, half])
  await writeFile(join(folder.path, 'sales.csv'), 'old')

  const child = spawnBerth(['files', 'get', ...args], { env: envOf(server), cwd: folder.path })
  const ended = Promise.all([text(child.stderr), once(child, 'close')])
  await expect.poll(() => readdir(folder.path)).toHaveLength(2)
  child.kill('SIGINT')

  const [stderr, [code]] = await ended
  expect([code, stderr]).toEqual([130, 'berth: interrupted\n'])
  expect(await readdir(folder.path)).toEqual(['sales.csv'])
  expect(await readFile(join(folder.path, 'sales.csv'), 'utf8')).toBe('old')
})

test('control: one that is not interrupted replaces it, through a link too, and a device takes it', async () => {
  await using folder = await temporaryFolder()
  await using server = await startScriptedServer([service, whole, service, whole])
  await writeFile(join(folder.path, 'real.csv'), 'old')
  await symlink('real.csv', join(folder.path, 'link.csv'))
  const get = (path: string) => berth(['files', 'get', 'sales.csv', path], { env: envOf(server), cwd: folder.path })

  const linked = await get('link.csv')
  const device = await get('/dev/null')

  expect([linked.code, device.code]).toEqual([0, 0])
  expect(await readFile(join(folder.path, 'real.csv'), 'utf8')).toBe('whole')
  expect((await readdir(folder.path)).toSorted()).toEqual(['link.csv', 'real.csv'])
})
