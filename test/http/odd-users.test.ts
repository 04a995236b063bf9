import { randomBytes } from 'node:crypto'
import type { Dirent } from 'node:fs'
import { mkdtemp, readdir, readFile, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { signHook } from '../../scripts/signed-hook.ts'
import { formatKeySecret } from '../../src/identity/key-secret.ts'
import { IMPOSSIBLE_UIDS, ODD_UIDS } from '../support/odd-uids.ts'
import { type RunningServer, startServer } from '../support/running-server.ts'

const secret = `whsec_${randomBytes(32).toString('base64')}`
let root: string
let server: RunningServer
beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'berth-odd-users-')))
  server = await startServer({
    BERTH_HOOK_SECRETS: secret,
    BERTH_OPERATOR_KEY: formatKeySecret('a'.repeat(32)),
    BERTH_DATA_DIR: join(root, 'deep/inside/data'),
    BERTH_SPARES: '0',
  })
})
afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
  await rm(root, { recursive: true, force: true })
})

const hook = (type: string, uid: string) =>
  server.call('POST', '/v1/hooks/identity', signHook({ secret, payload: { type, data: { project: 'demo', uid } } }))

/** What the runner makes and takes away all the time may be gone before it is looked into. */
const everythingIn = async (folder: string): Promise<readonly Dirent[]> => {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
    return []
  })
  const folders = entries.filter((entry) => entry.isDirectory())
  const below = await Promise.all(folders.map(({ name }) => everythingIn(join(folder, name))))
  return [...entries, ...below.flat()]
}

test('odd users sign up by the hook, keep a file each, and nobody has a place outside of the folder or in another one', async () => {
  const tenants = new Map<string, string>()
  for (const uid of ODD_UIDS) {
    const { status, body } = await hook('user.created', uid)
    expect([uid, status, body.outcome]).toEqual([uid, 202, 'created'])
    tenants.set(uid, body.tenantId)
    expect((await server.as(uid)('PUT', '/v1/files/who', { body: uid })).status).toBe(201)
  }
  const me = await Promise.all(ODD_UIDS.map(async (uid) => (await server.as(uid)('GET', '/v1/me')).body.tenant.id))
  const files = await Promise.all(ODD_UIDS.map(async (uid) => (await server.as(uid)('GET', '/v1/files/who')).text))

  expect(new Set(tenants.values()).size).toBe(ODD_UIDS.length)
  expect(me).toEqual([...tenants.values()])
  expect(files).toEqual(ODD_UIDS)

  const entries = await everythingIn(root)
  const written = entries.filter(({ name }) => name === 'who').map(({ parentPath }) => parentPath)
  const berths = join(root, 'deep/inside/data/berths')
  expect(written.map((folder) => dirname(dirname(folder)))).toEqual(ODD_UIDS.map(() => berths))
  expect(new Set(written).size).toBe(ODD_UIDS.length)
  const contents = await Promise.all(written.map((folder) => readFile(join(folder, 'who'), 'utf8')))
  expect(contents.toSorted()).toEqual(ODD_UIDS.toSorted())
  const outside = entries.filter(({ name, parentPath }) => !join(parentPath, name).startsWith(join(root, 'deep')))
  expect(outside).toEqual([])
})

test('an odd user is found by name, and deleting them deletes nobody else', async () => {
  const gone = '../twin'
  const others = ['../Twin', 'twin', '..%2ftwin', '.../twin']
  const ids = await Promise.all([gone, ...others].map(async (uid) => (await hook('user.created', uid)).body.tenantId))
  await hook('user.deleted', gone)
  const find = async (uid: string) => {
    const query = new URLSearchParams({ project: 'demo', uid }).toString()
    return (await server.operator('GET', `/v1/tenants?${query}`)).body.data.map(({ id }: { id: string }) => id)
  }
  await expect.poll(async () => (await server.operator('GET', `/v1/tenants/${ids[0]}`)).body.state).toBe('deleted')

  expect(await Promise.all(others.map(find))).toEqual(ids.slice(1).map((id) => [id]))
  expect((await server.as(gone)('GET', '/v1/files')).status).toBe(410)
  expect((await server.as('twin')('GET', '/v1/files')).status).toBe(200)
})

const count = (): number => server.events.filter(({ code }) => code === 'tenant.signed_up').length

test('what no provider calls a user is refused at each door and makes nobody', async () => {
  const before = count()
  const byHook = await Promise.all(IMPOSSIBLE_UIDS.map(async (uid) => (await hook('user.created', uid)).status))
  const byOperator = await Promise.all(
    IMPOSSIBLE_UIDS.map(
      async (uid) => (await server.operator('POST', '/v1/tenants', { json: { project: 'demo', uid } })).status,
    ),
  )

  expect([...byHook, ...byOperator]).toEqual(Array(IMPOSSIBLE_UIDS.length * 2).fill(400))
  for (const uid of ['%00', '%ED%A0%80', 'a'.repeat(129)])
    expect(
      (await server.call('GET', '/v1/files', { key: server.serviceKey, headers: { 'Berth-Tenant': uid } })).status,
    ).toBe(400)
  expect(count()).toBe(before)
})
