import { afterEach, beforeEach, expect, test } from 'vitest'
import { startIdentityToolkit } from './identity-toolkit.ts'
import { startServedBerth } from './served-berth.ts'

const PROJECT = 'demo-berth'
let site: Awaited<ReturnType<typeof startServedBerth>>
let google: Awaited<ReturnType<typeof startIdentityToolkit>>
beforeEach(async () => {
  site = await startServedBerth()
  google = await startIdentityToolkit({ pageSize: 2 })
})
afterEach(async () => {
  await google[Symbol.asyncDispose]()
  await site[Symbol.asyncDispose]()
})

const person = (localId: string) => ({ localId, email: `${localId.length}@example.com` })

const reconcile = async (...args: readonly string[]) => {
  const ended = await site.berth(['reconcile', '--from', 'firebase', '--project', PROJECT, '--json', ...args], {
    env: { FIREBASE_AUTH_EMULATOR_HOST: google.host },
  })
  return { ...ended, report: JSON.parse(ended.stdout || '{}') as Record<string, unknown> }
}

const uids = async (state = 'active'): Promise<readonly string[]> => {
  const { stdout } = await site.berth(['tenants', 'ls', '--state', state, '--json'])
  const { data } = JSON.parse(stdout) as { readonly data: readonly { readonly externalId: { readonly uid: string } }[] }
  return data.map(({ externalId }) => externalId.uid).toSorted()
}

test('users that Berth does not know are told at first, made with --apply, and there is nothing to do the second time', async () => {
  google.tenants.set('', [person('a/b'), person('A/b'), { localId: 'anonymous' }, person('日本 🙂')])
  google.tenants.set('t1', [person('a/b')])

  const dry = await reconcile('--identity-tenant', 't1')
  expect(dry).toMatchObject({ code: 0, report: { users: 5, missing: 4, created: 0, anonymous: 1 } })
  expect(await uids()).toEqual([])

  expect(await reconcile('--identity-tenant', 't1', '--apply')).toMatchObject({ code: 0, report: { created: 4 } })
  expect(await uids()).toEqual(['A/b', 'a/b', 'a/b', '日本 🙂'])
  expect(await reconcile('--identity-tenant', 't1', '--apply')).toMatchObject({
    report: { existing: 4, missing: 0, created: 0, gone: 0 },
  })
})

test('a tenant whose user is gone stays until --delete-gone is given, and then never comes back', async () => {
  google.tenants.set('', [person('kept'), person('leaver')])
  await reconcile('--apply')
  google.tenants.set('', [person('kept')])

  expect(await reconcile('--apply')).toMatchObject({ report: { gone: 1, deleted: 0 } })
  expect(await uids()).toEqual(['kept', 'leaver'])
  expect(await reconcile('--apply', '--delete-gone')).toMatchObject({ report: { gone: 1, deleted: 1 } })
  expect(await uids()).toEqual(['kept'])

  google.tenants.set('', [person('kept'), person('leaver')])
  expect(await reconcile('--apply')).toMatchObject({ report: { tombstones: 1, created: 0 } })
})

test('nobody is deleted when the listing breaks off, nor when Firebase tells no user at all', async () => {
  google.tenants.set('', [person('one'), person('two'), person('three')])
  await reconcile('--apply')
  google.tenants.set('', [person('one'), person('two'), person('other')])
  google.failures.push({ call: 'batchGet', afterPages: 3, status: 403, message: 'INSUFFICIENT_PERMISSION' })

  const broken = await reconcile('--apply', '--delete-gone')
  expect(broken.code).not.toBe(0)
  expect(broken.stdout + broken.stderr).toContain('identity_unavailable')
  expect(google.asked.at(-1)).toBe('batchGet')
  google.tenants.set('', [])
  expect((await reconcile('--apply', '--delete-gone')).code).not.toBe(0)
  expect(await uids()).toEqual(['one', 'three', 'two'])
})

test('a quota that is used up is waited out', async () => {
  google.tenants.set('', [person('one')])
  google.failures.push({ call: 'batchGet', afterPages: 0, status: 429, message: 'QUOTA_EXCEEDED' })

  expect(await reconcile('--apply')).toMatchObject({ code: 0, report: { created: 1 } })
  expect(google.asked.filter((call) => call === 'batchGet')).toHaveLength(2)
})

test('a provider that is not known is a fault of the caller', async () => {
  const { code, stderr, stdout } = await site.berth(['reconcile', '--from', 'nobody', '--project', PROJECT])

  expect(code).toBe(2)
  expect(stdout + stderr).toContain('--from: expected firebase')
})
