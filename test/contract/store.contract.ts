import { describe, expect, test } from 'vitest'
import type { ServiceKey } from '../../src/domain/ports/store.ts'
import { describeBerths } from './store-berths.contract.ts'
import { describeDeletion } from './store-deletion.contract.ts'
import { describeMoves } from './store-moves.contract.ts'
import { describeOwners } from './store-owners.contract.ts'
import { describeRuns } from './store-runs.contract.ts'
import { describeRolloutRows } from './store-rollout.contract.ts'
import { at, hasCode, ids, signUp, type StoreHarness } from './store-site.ts'
import { describeTenants } from './store-tenants.contract.ts'

const newKey = (changes: Partial<ServiceKey> = {}): ServiceKey => ({
  id: ids.keyId(),
  name: 'CI 🔧',
  role: 'service',
  project: 'shop',
  createdAt: at(0),
  lastUsedAt: null,
  revokedAt: null,
  ...changes,
})

const describeKeys = ({ create }: StoreHarness): void => {
  test('a key is found by its hash and listed, and a second insert of the hash changes nothing', async () => {
    await using site = await create()
    await using store = await site.open()
    const key = newKey()

    await store.keys.insert(key, 'hash')
    await store.keys.insert(newKey({ name: 'thief' }), 'hash')

    expect(await store.keys.findByHash('hash')).toEqual(key)
    expect(await store.keys.findByHash('other')).toBeNull()
    expect(await store.keys.list()).toEqual([key])
  })

  test('a key is revoked once and keeps its first time', async () => {
    await using site = await create()
    await using store = await site.open()
    const key = newKey({ role: 'operator', project: null })
    await store.keys.insert(key, 'hash')

    expect(await store.keys.revoke(key.id, at(1))).toEqual({ ...key, revokedAt: at(1) })
    expect(await store.keys.revoke(key.id, at(2))).toEqual({ ...key, revokedAt: at(1) })
    expect(await store.keys.revoke(ids.keyId(), at(2))).toBeNull()
  })

  test('the last use is written at most once a minute', async () => {
    await using site = await create()
    await using store = await site.open()
    const key = newKey()
    await store.keys.insert(key, 'hash')
    const lastUse = async () => (await store.keys.findByHash('hash'))?.lastUsedAt

    await store.keys.touch(key.id, at(1))
    expect(await lastUse()).toEqual(at(1))
    await store.keys.touch(key.id, at(60_000))
    expect(await lastUse()).toEqual(at(1))
    await store.keys.touch(key.id, at(60_001))
    expect(await lastUse()).toEqual(at(60_001))
  })
}

const describeLifetime = ({ create }: StoreHarness): void => {
  test('what was written is there after a close and a new start', async () => {
    await using site = await create()
    const first = await site.open()
    const { tenant } = await signUp(first, 'ada')
    await first[Symbol.asyncDispose]()

    await using second = await site.open()

    expect(await second.tenants.find(tenant.id)).toEqual(tenant)
  })

  test('ping answers, gives up with its signal, and a closed store is unavailable', async () => {
    await using site = await create()
    const store = await site.open()

    await store.ping({ signal: AbortSignal.timeout(60_000) })
    await expect(store.ping({ signal: AbortSignal.abort() })).rejects.toMatchObject(hasCode('store_unavailable'))
    await store[Symbol.asyncDispose]()

    const signal = AbortSignal.timeout(60_000)
    await expect(store.ping({ signal })).rejects.toMatchObject(hasCode('store_unavailable'))
    await expect(signUp(store, 'ada')).rejects.toMatchObject(hasCode('store_unavailable'))
  })
}

/** What every store must do; `harness` makes an empty database for each test. */
export const describeStore = (harness: StoreHarness): void => {
  describe(`${harness.name}: the store contract`, () => {
    describeTenants(harness)
    describe('deletion', () => {
      describeDeletion(harness)
    })
    describeBerths(harness)
    describe('moves', () => {
      describeMoves(harness)
    })
    describe('owners', () => {
      describeOwners(harness)
    })
    describeRuns(harness)
    describeRolloutRows(harness)
    describe('service keys', () => {
      describeKeys(harness)
    })
    describe('lifetime', () => {
      describeLifetime(harness)
    })
  })
}
