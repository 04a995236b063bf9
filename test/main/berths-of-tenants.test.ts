import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Store } from '../../src/domain/ports/store.ts'
import { berthsIn } from '../../src/main/deployment/berths-of-tenants.ts'
import { openSqliteStore } from '../../src/store/open-sqlite-store.ts'
import { clock, ids, signUp } from '../contract/store-site.ts'

let folder: string
let store: Store
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-'))
  store = await openSqliteStore({ dataDir: folder, clock })
})
afterAll(async () => {
  await store?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

test('tenants are found by the berths that they live in', async () => {
  const [one, , three] = [await signUp(store, 'one'), await signUp(store, 'two'), await signUp(store, 'three')]

  const berthIds = await berthsIn(store.berths, [one.tenant.id, three.tenant.id])

  const expected = await Promise.all([one, three].map(({ tenant }) => store.berths.findByTenant(tenant.id)))
  expect([...berthIds]).toEqual(expected.map((berth) => berth?.id))
  expect(berthIds.size).toBe(2)
})

test('a tenant without a berth is an error, and nobody is rolled out in its place', async () => {
  await expect(berthsIn(store.berths, [ids.tenantId()])).rejects.toMatchObject({ code: 'not_found' })
})
