import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Berth, createBerth } from '../../src/client/berth.ts'
import { compose, type Composed } from '../../src/main/compose.ts'
import { parseConfig } from '../../src/main/config.ts'

let server: Composed
let folder: string
let operator: Berth
let secret: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-client-'))
  server = await compose(
    parseConfig({
      BERTH_DATA_DIR: folder,
      BERTH_PORT: '0',
      BERTH_LOG_LEVEL: 'silent',
      BERTH_RATE_PER_MINUTE: '100000',
    }),
  )
  const key = (await readFile(join(folder, 'operator.key'), 'utf8')).trim()
  operator = createBerth({ baseUrl: server.url, key })
  ;({ secret } = await operator.keys.create({ name: 'test', project: 'p' }))
})
afterAll(async () => {
  await server.stop()
  await rm(folder, { recursive: true, force: true, maxRetries: 5 })
})

const as = (tenant: string): Berth => createBerth({ baseUrl: server.url, key: secret, tenant })

test('run resolves with the finished run, also when the code raises', async () => {
  const good = await as('alice').run('6 * 7')
  const bad = await as('alice').run('1 / 0')

  expect(good).toMatchObject({ status: 'succeeded', results: [{ isMain: true, json: 42 }] })
  expect(bad).toMatchObject({ status: 'failed', error: { name: 'ZeroDivisionError', line: 1 } })
})

test('output comes while the code runs, events in order, and the last carries the run that GET answers', async () => {
  const berth = as('alice')
  const types: string[] = []
  let seenBeforeEnd = ''
  const run = await berth.run('import time\nprint("a", flush=True)\ntime.sleep(0.3)\nprint("b")\n1', {
    onStdout: (text) => (seenBeforeEnd += text),
    onEvent: ({ type }) => types.push(type),
  })

  expect(seenBeforeEnd).toBe('a\nb\n')
  expect(types[0]).toBe('run.created')
  expect(types.slice(-2)).toEqual(['result', 'run.completed'])
  expect(await berth.runs.get(run.id)).toEqual(run)
})

test('events of a finished run can be read again, and from the middle', async () => {
  const berth = as('alice')
  const { id } = await berth.run('print("a")\n1', { onStdout: () => undefined })

  const all = await Array.fromAsync(berth.runs.events(id))
  const rest = await Array.fromAsync(berth.runs.events(id, { lastEventId: all[1]?.id }))

  expect(rest).toEqual(all.slice(2))
})

test('the same Idempotency-Key is the same run, and another body under it is refused', async () => {
  const berth = as('alice')
  const options = { idempotencyKey: crypto.randomUUID() }
  const first = await berth.runs.create({ language: 'python', code: '1' }, options)
  const second = await berth.runs.create({ language: 'python', code: '1' }, options)

  expect(second.id).toBe(first.id)
  await expect(berth.runs.create({ language: 'python', code: '2' }, options)).rejects.toMatchObject({
    code: 'idempotency_conflict',
  })
})

test('an aborted run with a listener is canceled', async () => {
  const berth = as('bea')
  const controller = new AbortController()

  const run = berth.run('import time\nprint("x", flush=True)\ntime.sleep(60)', {
    onStdout: () => controller.abort(new Error('enough')),
    signal: controller.signal,
  })

  await expect(run).rejects.toThrow('enough')
  const [last] = await Array.fromAsync(berth.runs.list())
  expect(await berth.runs.wait(last?.id ?? '')).toMatchObject({ status: 'canceled', logs: { stdout: 'x\n' } })
})

test('a list of more than one page is read to its end, newest first', async () => {
  const berth = as('lister')
  const ids: string[] = []
  for (let index = 0; index < 5; index += 1) ids.unshift((await berth.run('1')).id)

  await expect
    .poll(async () => (await Array.fromAsync(berth.runs.list({ pageSize: 2 }))).map(({ id }) => id))
    .toEqual(ids)
})

test('a file of megabytes streams up and down unchanged, and a run reads it', async () => {
  const berth = as('filer')
  const chunk = new Uint8Array(64 * 1024).fill(7)
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    for (let index = 0; index < 64; index += 1) yield chunk
  }

  const stored = await berth.files.upload('größe 1.bin', chunks())
  const run = await berth.run('import os; os.path.getsize("größe 1.bin")', { files: ['größe 1.bin'] })
  const bytes = await (await berth.files.download('größe 1.bin')).bytes()

  expect(stored.bytes).toBe(64 * 64 * 1024)
  expect(run.results[0]?.json).toBe(stored.bytes)
  expect(Buffer.compare(bytes, Buffer.alloc(stored.bytes, 7))).toBe(0)
})

test('artifacts come inside the answer, and by name', async () => {
  const berth = as('alice')
  const run = await berth.run('import os\nos.makedirs("outputs/sub")\nopen("outputs/sub/a ü.txt", "w").write("art")')

  expect(run.artifacts).toMatchObject([{ name: 'sub/a ü.txt', content: Buffer.from('art').toString('base64') }])
  await expect.poll(async () => (await berth.artifacts.list(run.id).catch(() => []))[0]?.name).toBe('sub/a ü.txt')
  expect(await (await berth.artifacts.download(run.id, 'sub/a ü.txt')).text()).toBe('art')
})

test('me and runtimes say who is calling and what there is', async () => {
  // Reading signs nobody up, so the tenant runs something first.
  await as('alice').run('1')

  const me = await as('alice').me()
  const runtimes = await as('alice').runtimes()

  expect(me).toMatchObject({ caller: 'service', tenant: { state: 'active' } })
  expect((await operator.me()).caller).toBe('operator')
  expect(runtimes.languages.map(({ language }) => language).toSorted()).toEqual(['python', 'typescript'])
  expect(runtimes.limits.run.timeoutMs).toBe(30_000)
})

test('a run of another tenant is not found', async () => {
  const { id } = await as('alice').run('1', { onStdout: () => undefined })

  await expect(as('bob').runs.get(id)).rejects.toMatchObject({ code: 'not_found' })
  await expect(as('bob').runs.wait(id)).rejects.toMatchObject({ code: 'not_found' })
})

test('an operator key acts for no tenant, a service key administers nothing', async () => {
  await expect(operator.run('1')).rejects.toMatchObject({ code: 'forbidden' })
  await expect(as('alice').keys.list()).rejects.toMatchObject({ code: 'forbidden' })
})

test('a tenant is made, found, and its deletion ends with a receipt', async () => {
  const tenant = await operator.tenants.create({ project: 'p', uid: 'dora' })
  await as('dora').run('1')
  const listed = await Array.fromAsync(operator.tenants.list({ state: 'active' }))
  await operator.tenants.remove(tenant.id)

  await expect.poll(async () => (await operator.tenants.receipt(tenant.id).catch(() => null))?.tenantId).toBe(tenant.id)
  expect(listed.map(({ id }) => id)).toContain(tenant.id)
  await expect(as('dora').run('1')).rejects.toMatchObject({ code: 'tenant_deleted' })
})

test('fields at fault are named', async () => {
  await expect(as('alice').run('1', { timeoutMs: 0 })).rejects.toMatchObject({
    code: 'invalid_request',
    errors: [{ pointer: '/timeoutMs' }],
  })
})
