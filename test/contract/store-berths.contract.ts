import { describe, expect, test } from 'vitest'
import type { Store } from '../../src/domain/ports/store.ts'
import type { BerthId } from '../../src/domain/ids.ts'
import {
  addSpare,
  at,
  deletion,
  ids,
  leaseOf,
  nothingFound,
  ready,
  signUp,
  type StoreHarness,
  workOff,
} from './store-site.ts'

const newBerth = async (store: Store, uid = 'ada'): Promise<BerthId> => {
  const { berth } = await signUp(store, uid)
  if (berth === null) throw new Error('no berth')
  return berth.id
}

const describeLeases = ({ create }: StoreHarness): void => {
  test('a waiting tenant comes first, then deletions, then spares', async () => {
    await using site = await create()
    await using store = await site.open()
    const leaving = await newBerth(store, 'leaving')
    await workOff(store)
    await store.tenants.requestDeletion(deletion('leaving'))
    const spare = await addSpare(store)
    const { berth: waiting } = await signUp(store, 'waiting', { now: at(1) })

    const due = await store.berths.lease({ lease: leaseOf('a'), limit: 10, now: at(2) })

    expect(due.map(({ id }) => id)).toEqual([waiting?.id, leaving, spare?.id])
    expect(due.map(({ attempts }) => attempts)).toEqual([1, 1, 1])
  })

  test('two owners never hold the same berth, and an expired lease moves on', async () => {
    await using site = await create()
    await using store = await site.open()
    for (let spare = 0; spare < 10; spare += 1) await addSpare(store)
    const take = (owner: string, now: number) =>
      store.berths.lease({ lease: leaseOf(owner, now + 1000), limit: 6, now: at(now) })

    const [one, two] = await Promise.all([take('a', 0), take('b', 0)])
    const again = await take('c', 999)
    const later = await take('c', 1000)

    expect(new Set([...one, ...two].map(({ id }) => id)).size).toBe(one.length + two.length)
    expect(one.length + two.length + again.length).toBeLessThanOrEqual(10)
    expect(later).toHaveLength(6)
    expect(later.every(({ attempts }) => attempts === 2)).toBe(true)
  })

  test('berths are counted by cell, with the spares that wait there, and without those that are gone', async () => {
    await using site = await create()
    await using store = await site.open()
    await addSpare(store)
    await workOff(store)
    await addSpare(store)
    await signUp(store, 'abroad', { cell: 'abroad' })
    await signUp(store, 'gone', { cell: 'abroad' })
    await store.tenants.requestDeletion(deletion('gone'))
    const before = await store.berths.countByCell()
    await workOff(store)

    const counts = new Map((await store.berths.countByCell()).map((count) => [count.cell, count]))

    expect(before.find(({ cell }) => cell === 'abroad')?.living).toBe(2)
    expect(counts.get('home')).toEqual({ backend: 'local', cell: 'home', living: 2, readySpares: 2 })
    expect(counts.get('abroad')).toEqual({ backend: 'local', cell: 'abroad', living: 1, readySpares: 0 })
    expect(counts.size).toBe(2)
  })

  test('who lost the lease settles nothing', async () => {
    await using site = await create()
    await using store = await site.open()
    const id = await newBerth(store)
    await store.berths.lease({ lease: leaseOf('slow'), limit: 1, now: at(0) })
    await store.berths.lease({ lease: leaseOf('fast', 2000), limit: 1, now: at(1000) })

    expect(await store.berths.settle(id, 'slow', ready)).toBe(false)
    expect(await store.berths.renew([id], leaseOf('slow', 9000))).toEqual([])
    expect(await store.berths.find(id)).toMatchObject({ state: 'provisioning', readyAt: null })
    expect(await store.berths.settle(id, 'fast', ready)).toBe(true)
    expect(await store.berths.settle(id, 'fast', ready)).toBe(false)
    expect(await store.berths.find(id)).toMatchObject({ state: 'ready', runnerVersion: 1, image: 'sha256:one' })
  })

  test('a renewed lease holds, and one renewed until now is handed back', async () => {
    await using site = await create()
    await using store = await site.open()
    const id = await newBerth(store)
    const take = (owner: string, now: number) =>
      store.berths.lease({ lease: leaseOf(owner, now + 1000), limit: 1, now: at(now) })
    await take('a', 0)

    expect(await store.berths.renew([id, ids.berthId()], leaseOf('a', 3000))).toEqual([id])
    expect(await take('b', 2999)).toEqual([])
    await store.berths.renew([id], leaseOf('a', 2000))
    expect(await take('b', 2000)).toHaveLength(1)
  })

  test('a failed try waits for its next time and keeps its reason, whatever characters it has', async () => {
    await using site = await create()
    await using store = await site.open()
    const id = await newBerth(store)
    await store.berths.lease({ lease: leaseOf('a'), limit: 1, now: at(0) })

    const error = 'broke \0 here \uD800 🧨'
    expect(await store.berths.settle(id, 'a', { kind: 'retry', error, nextAttemptAt: at(500) })).toBe(true)

    expect(await store.berths.lease({ lease: leaseOf('b'), limit: 1, now: at(499) })).toEqual([])
    const [retried] = await store.berths.lease({ lease: leaseOf('b'), limit: 1, now: at(500) })
    expect(retried).toMatchObject({ id, attempts: 2, lastError: 'broke \uFFFD here \uFFFD 🧨' })
  })

  test('a deletion that comes while the berth is made waits for the maker, who may not call it ready', async () => {
    await using site = await create()
    await using store = await site.open()
    const id = await newBerth(store)
    await store.berths.lease({ lease: leaseOf('maker'), limit: 1, now: at(0) })
    await store.tenants.requestDeletion(deletion('ada'))

    expect(await store.berths.lease({ lease: leaseOf('other'), limit: 1, now: at(1) })).toEqual([])
    expect(await store.berths.renew([id], leaseOf('maker', 5000))).toEqual([])
    expect(await store.berths.settle(id, 'maker', ready)).toBe(false)

    const [deleting] = await store.berths.lease({ lease: leaseOf('other'), limit: 1, now: at(2) })
    expect(deleting).toMatchObject({ id, state: 'deprovisioning', attempts: 1 })
    expect(await store.berths.settle(id, 'other', { kind: 'deleted', report: nothingFound })).toBe(true)
  })

  test('a maker that stops hands a berth back whose deletion was asked for meanwhile', async () => {
    await using site = await create()
    await using store = await site.open()
    const id = await newBerth(store)
    await store.berths.lease({ lease: leaseOf('maker'), limit: 1, now: at(0) })
    await store.tenants.requestDeletion(deletion('ada'))

    expect(await store.berths.renew([id], leaseOf('maker', 10))).toEqual([])

    expect(await store.berths.lease({ lease: leaseOf('other'), limit: 1, now: at(10) })).toHaveLength(1)
  })

  test('a spare that is claimed while it is made becomes the tenant’s when it is ready', async () => {
    await using site = await create()
    await using store = await site.open()
    const spare = await addSpare(store)
    await store.berths.lease({ lease: leaseOf('a'), limit: 1, now: at(0) })
    const { tenant, berth } = await signUp(store, 'ada', { maxBerths: 1 })
    if (berth === null || spare === null) throw new Error('no berth')

    expect(await store.berths.settle(spare.id, 'a', ready)).toBe(true)

    expect(await store.berths.findByTenant(tenant.id)).toMatchObject({ id: spare.id, state: 'ready' })
  })

  test('reports of deleted berths come back for the receipt', async () => {
    await using site = await create()
    await using store = await site.open()
    const id = await newBerth(store)
    await store.tenants.requestDeletion(deletion('ada'))
    await store.berths.lease({ lease: leaseOf('a'), limit: 1, now: at(0) })
    const report = {
      deleted: [{ kind: 'folder', name: 'files', count: 3 }],
      verifiedAbsent: [{ kind: 'folder', name: 'files' }],
    }

    await store.berths.settle(id, 'a', { kind: 'deleted', report })

    const [tenant] = await store.tenants.listDeprovisioned({ limit: 10 })
    expect(tenant?.reports).toEqual([{ berthId: id, ...report }])
  })
}

const describeStates = ({ create }: StoreHarness): void => {
  test('spares are made up to their number, and one that is claimed makes room', async () => {
    await using site = await create()
    await using store = await site.open()
    const add = () => addSpare(store, { maxSpares: 2 })

    const made = await Promise.all([add(), add(), add(), add()])
    expect(made.filter((spare) => spare !== null)).toHaveLength(2)
    await workOff(store)
    expect(await add()).toBeNull()
    await signUp(store, 'ada')
    expect(await add()).not.toBeNull()
    expect(await add()).toBeNull()
  })

  test('a state moves only from the states that were expected', async () => {
    await using site = await create()
    await using store = await site.open()
    const id = await newBerth(store)
    await store.berths.lease({ lease: leaseOf('a'), limit: 1, now: at(0) })
    await store.berths.settle(id, 'a', { kind: 'failed', error: 'no luck' })

    expect(await store.berths.find(id)).toMatchObject({ state: 'failed', lastError: 'no luck' })
    expect(await store.berths.setState(id, ['ready'], 'provisioning')).toBe(false)
    expect(await store.berths.setState(id, [], 'provisioning')).toBe(false)
    expect(await store.berths.setState(id, ['failed'], 'provisioning')).toBe(true)
    const [again] = await store.berths.lease({ lease: leaseOf('b'), limit: 1, now: at(0) })
    expect(again).toMatchObject({ id, attempts: 1 })
  })

  test('a walk over berths of some states sees each once', async () => {
    await using site = await create()
    await using store = await site.open()
    for (let user = 0; user < 7; user += 1) await newBerth(store, `user${user}`)
    await workOff(store)
    await newBerth(store, 'late')
    const first = await store.berths.list({ cursor: null, limit: 4, states: ['ready'] })
    const second = await store.berths.list({ cursor: first.nextCursor, limit: 4, states: ['ready'] })

    expect(first.entries).toHaveLength(4)
    expect(second.entries).toHaveLength(3)
    expect(second.nextCursor).toBeNull()
    expect(new Set([...first.entries, ...second.entries].map(({ id }) => id)).size).toBe(7)
    expect((await store.berths.list({ cursor: null, limit: 50, states: null })).entries).toHaveLength(8)
    expect((await store.berths.list({ cursor: null, limit: 50, states: [] })).entries).toEqual([])
  })
}

export const describeBerths = (harness: StoreHarness): void => {
  describe('leases of berths', () => {
    describeLeases(harness)
  })
  describe('states of berths', () => {
    describeStates(harness)
  })
}
