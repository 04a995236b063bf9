import { readFile, stat, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Run } from '../../src/domain/run.ts'
import { startServedBerth } from './served-berth.ts'

let site: Awaited<ReturnType<typeof startServedBerth>>
beforeAll(async () => {
  site = await startServedBerth()
})
afterAll(() => site[Symbol.asyncDispose]())

const write = async (name: string, content: string): Promise<string> => {
  const path = join(site.folder, name)
  await writeFile(path, content)
  return path
}

const analysis = `
import pandas as pd, matplotlib.pyplot as plt
frame = pd.read_csv("sales.csv")
print("rows", len(frame))
frame.plot.bar(x="city", y="sum")
frame
`

test('a program over an uploaded file prints, shows its table and saves its chart', async () => {
  await write('sales.csv', 'city,sum\nBonn,12\nKiel,3\n')
  await write('analysis.py', analysis)

  const { code, stdout, stderr } = await site.berth([
    'run',
    'analysis.py',
    '--tenant',
    'alice',
    '--file',
    'sales.csv',
    '--out',
    'charts',
  ])

  expect({ code, stderr }).toMatchObject({ code: 0 })
  expect(stdout).toContain('rows 2\ncity  sum\nBonn   12\nKiel    3\n')
  expect((await readFile(join(site.folder, 'charts/figure-1.png'))).subarray(1, 4).toString()).toBe('PNG')
})

test('with --json stdout is one run and nothing else', async () => {
  const { code, stdout } = await site.berth(['run', '-', '--tenant', 'alice', '--var', 'n=5', '--json'], {
    stdin: 'def main(variables):\n  print("noise")\n  return variables["n"] * 2',
  })

  const run = JSON.parse(stdout) as Run
  expect(code).toBe(0)
  expect(run).toMatchObject({ status: 'succeeded', results: [{ isMain: true, json: 10 }], logs: { stdout: 'noise\n' } })
})

test('output without an end of line is not glued to the result', async () => {
  const { stdout } = await site.berth(['run', '-', '--tenant', 'alice'], { stdin: 'print("a", end="")\n[1, 2]' })

  expect(stdout).toBe('a\n[1, 2]\n')
})

test('TypeScript is known by its suffix', async () => {
  await write('check.ts', 'const n: number = variables.n; export default { half: n / 2 }')

  const { code, stdout } = await site.berth(['run', 'check.ts', '--tenant', 'alice', '--var', 'n=5', '--json'])

  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ language: 'typescript', results: [{ json: { half: 2.5 } }] })
})

test('code that raises exits with 1 and shows its traceback', async () => {
  const { code, stderr } = await site.berth(['run', '-', '--tenant', 'alice'], { stdin: '1 / 0' })

  expect(code).toBe(1)
  expect(stderr).toContain('ZeroDivisionError: division by zero')
  expect(stderr).toContain('(code_raised)')
})

test('a run that takes too long exits with 1, says so, and what it printed is there', async () => {
  const stdin = 'import time\nprint("before", flush=True)\ntime.sleep(60)'
  const { code, stdout, stderr } = await site.berth(['run', '-', '--tenant', 'alice', '--timeout-ms', '2000'], {
    stdin,
  })

  expect(code).toBe(1)
  expect(stdout).toContain('before')
  expect(stderr).toContain('(timeout)')
})

test('output arrives while the code runs, and an interrupt cancels the run', async () => {
  const stdin = 'import time\nprint("started", flush=True)\ntime.sleep(60)'
  const child = site.spawn(['run', '-', '--tenant', 'carol'], { stdin })
  const ended = once(child, 'close')
  const [first] = (await once(child.stdout, 'data')) as [Buffer]
  child.kill('SIGINT')
  const [code] = await ended

  const { stdout } = await site.berth(['runs', 'ls', '--tenant', 'carol', '--json'])
  const { data } = JSON.parse(stdout) as { data: Run[] }
  const logs = await site.berth(['runs', 'logs', data[0]?.id ?? '', '--tenant', 'carol'])

  expect([first.toString(), code]).toEqual(['started\n', 130])
  expect(logs).toMatchObject({ code: 1, stdout: 'started\n' })
})

test('an asynchronous run is followed to its end by its id', async () => {
  const { stdout: id } = await site.berth(['run', '-', '--tenant', 'alice', '--async'], { stdin: 'print(6 * 7)' })

  const logs = await site.berth(['runs', 'logs', id.trim(), '--tenant', 'alice'])
  const shown = await site.berth(['runs', 'show', id.trim(), '--tenant', 'alice', '--json'])

  expect(logs).toMatchObject({ code: 0, stdout: '42\n' })
  expect(JSON.parse(shown.stdout)).toMatchObject({ id: id.trim(), status: 'succeeded' })
})

test('files go up, come down the same, are listed and deleted; another tenant sees none', async () => {
  await write('données.txt', 'é\n')

  const put = await site.berth(['files', 'put', 'données.txt', '--tenant', 'alice'])
  const listed = await site.berth(['files', 'ls', '--tenant', 'alice'])
  const other = await site.berth(['files', 'ls', '--tenant', 'bob', '--json'])
  const got = await site.berth(['files', 'get', 'données.txt', '-', '--tenant', 'alice'])
  const removed = await site.berth(['files', 'rm', 'données.txt', '--tenant', 'alice'])
  const again = await site.berth(['files', 'rm', 'données.txt', '--tenant', 'alice'])

  expect([put.code, got.code, removed.code, again.code]).toEqual([0, 0, 0, 2])
  expect(listed.stdout).toMatch(/^données\.txt +3 /m)
  expect(JSON.parse(other.stdout)).toEqual({ data: [] })
  expect(got.stdout).toBe('é\n')
  expect(again.stderr).toContain('(not_found)')
})

test('standard input is uploaded as a stream', async () => {
  await site.berth(['files', 'put', '-', 'notes.txt', '--tenant', 'alice'], { stdin: 'from a pipe' })

  const { stdout } = await site.berth(['files', 'get', 'notes.txt', '-', '--tenant', 'alice'])

  expect(stdout).toBe('from a pipe')
})

test('an operator makes, suspends, resumes and deletes a tenant, and gets a receipt', async () => {
  const created = await site.berth(['tenants', 'create', 'dora', '--json'])
  const { id } = JSON.parse(created.stdout) as { id: string }
  const found = await site.berth(['tenants', 'ls', '--uid', 'dora', '--json'])
  const suspended = await site.berth(['tenants', 'suspend', id, '--json'])
  const refused = await site.berth(['run', '-', '--tenant', 'dora'], { stdin: '1' })
  await site.berth(['tenants', 'resume', id])
  const resumed = await site.berth(['run', '-', '--tenant', 'dora'], { stdin: '1' })
  const deleted = await site.berth(['tenants', 'delete', id, '--json'])

  await expect.poll(async () => (await site.berth(['tenants', 'receipt', id])).code).toBe(0)
  const receipt = await site.berth(['tenants', 'receipt', id, '--json'])

  expect(JSON.parse(found.stdout)).toMatchObject({ data: [{ id, externalId: { project: 'local', uid: 'dora' } }] })
  expect(JSON.parse(suspended.stdout)).toMatchObject({ state: 'suspended' })
  expect(refused).toMatchObject({ code: 2 })
  expect(refused.stderr).toContain('(tenant_suspended)')
  expect([resumed.code, deleted.code]).toEqual([0, 0])
  expect(JSON.parse(receipt.stdout)).toMatchObject({ tenantId: id })
})

test('a key works until it is revoked; its secret alone is on stdout', async () => {
  const { stdout: secret } = await site.berth(['keys', 'create', 'backend'])
  const env = { BERTH_KEY: secret.trim() }
  const before = await site.berth(['files', 'ls', '--tenant', 'alice'], { env })
  const { stdout } = await site.berth(['keys', 'ls', '--json'])
  const { data } = JSON.parse(stdout) as { data: { id: string; name: string }[] }
  await site.berth(['keys', 'revoke', data.find(({ name }) => name === 'backend')?.id ?? ''])

  const after = await site.berth(['files', 'ls', '--tenant', 'alice'], { env })

  expect(secret).toMatch(/^berth_[a-z2-7]{32}\n$/)
  expect([before.code, after.code]).toEqual([0, 2])
  expect(after.stderr).toContain('(unauthenticated)')
})

test("the operator's key for a project is made once and readable by its owner only", async () => {
  await site.berth(['files', 'ls', '--tenant', 'alice', '--project', 'other'])
  await site.berth(['files', 'ls', '--tenant', 'bob', '--project', 'other'])

  const { stdout } = await site.berth(['keys', 'ls', '--json'])
  const { data } = JSON.parse(stdout) as { data: { project: string }[] }
  expect(data.filter(({ project }) => project === 'other')).toHaveLength(1)
  expect((await stat(join(site.folder, 'data/cli-keys'))).mode & 0o777).toBe(0o700)
})

test('fleet tells what the berths of the machine run', async () => {
  const [plain, json] = [await site.berth(['fleet']), await site.berth(['fleet', '--json'])]

  expect([plain.code, json.code], plain.stderr).toEqual([0, 0])
  expect(plain.stdout).toMatch(/^cell local\n/)
  expect(JSON.parse(json.stdout)).toMatchObject({
    data: [{ cell: 'local', wanted: { image: expect.stringMatching(/^local:\d+@sha256:/) }, problem: null }],
  })
})

test('reconcile finds no gap where there is none', async () => {
  const { code, stdout } = await site.berth(['reconcile', '--json'])

  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ applied: false })
})

test('doctor sees the server and answers programs with one document', async () => {
  const { code, stdout } = await site.berth(['doctor', '--json'])

  const { ok, findings } = JSON.parse(stdout) as { ok: boolean; findings: { name: string; state: string }[] }
  expect(findings).toContainEqual(expect.objectContaining({ name: 'server', state: 'ok' }))
  expect([ok, code]).toEqual([true, 0])
})

test('doctor exits with 1 when something needed is missing, and shows no secret', async () => {
  const env = { DATABASE_URL: 'postgres://user:secret@127.0.0.1:1/berth' }

  const { code, stdout } = await site.berth(['doctor'], { env })

  expect(code).toBe(1)
  expect(stdout).toMatch(/^missing +postgres .*ECONNREFUSED\n +Start Postgres/m)
  expect(stdout).not.toContain('secret')
})

test('a second server on the same folder is refused with the remedy', async () => {
  const { code, stderr } = await site.berth(['serve', '--port', '0'])

  expect(code).toBe(69)
  expect(stderr).toContain('(data_dir_locked)')
})

test('serve tells people one line, and stops cleanly on SIGTERM', async () => {
  await using other = await startServedBerth()
  const child = other.spawn(['serve', '--port', '0', '--data-dir', join(other.folder, 'second')])
  const stderr = text(child.stderr)
  const ended = once(child, 'close')
  child.stdout.on('data', () => undefined)
  await once(child.stderr, 'data')
  child.kill('SIGTERM')
  const [code] = await ended

  expect(await stderr).toMatch(
    /^berth listens on http:\/\/127\.0\.0\.1:\d+ .*second\/operator\.key; stop it with Ctrl-C\n$/,
  )
  expect([code, await other.stop()]).toEqual([0, 0])
})

test('a setting that makes no sense exits with 78', async () => {
  const { code, stderr } = await site.berth(['serve', '--port', 'many'])

  expect(code).toBe(78)
  expect(stderr).toContain('BERTH_PORT')
})

test('a rollout on the server’s own machine takes what is installed there, and no flags of AWS', async () => {
  const { code, stdout } = await site.berth(['rollout', 'start', '--local', '--json'])
  const mixed = await site.berth(['rollout', 'start', '--local', '--image', 'x@sha256:y'])

  expect([code, JSON.parse(stdout).state]).toEqual([0, 'done'])
  expect([mixed.code === 0, mixed.stderr.includes('--local')]).toEqual([false, true])
})

const local = (...args: string[]) => site.berth(['rollout', ...args, '--local'])

test('status, fence and rollback of a server’s own machine; what has no meaning there says so, with what to do instead', async () => {
  const status = await local('status')
  const fences = [await local('fence', '9999'), await local('fence', '0')]
  const back = await local('rollback')

  expect([status.code, status.stdout]).toEqual([0, expect.stringMatching(/wanted: version \d+, local:\d+@sha256:/)])
  expect(fences.map(({ code }) => code)).toEqual([2, 0])
  expect([back.code, back.stderr]).toEqual([2, expect.stringContaining('berth rollout start --local')])
  for (const args of [['pause'], ['resume'], ['pin', 'b1'], ['unpin', 'b1']]) {
    const { code, stderr } = await local(...args)
    expect([code, stderr]).toEqual([2, expect.stringMatching(/one runner for all berths.*berth rollout \w+ --local/s)])
  }
})
