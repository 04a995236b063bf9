import { describe, expect, test } from 'vitest'
import type { TenantId } from '../../src/domain/ids.ts'
import type { Store } from '../../src/domain/ports/store.ts'
import {
  at,
  deletion,
  enqueue,
  finished,
  hasCode,
  ids,
  leaseOf,
  newRun,
  request,
  signUp,
  storedRun,
  type StoreHarness,
} from './store-site.ts'

const newTenant = async (store: Store, uid = 'ada'): Promise<TenantId> => (await signUp(store, uid)).tenant.id

const insertWithKey = (store: Store, tenantId: TenantId, key: { requestHash: string; createdAtMs?: number }) => {
  const run = newRun({ createdAt: at(key.createdAtMs ?? 0).toISOString() })
  const idempotency = { key: 'key \0 🔑', requestHash: key.requestHash, expiresAt: at(1000) }
  return store.runs.insert({ stored: storedRun(tenantId, run), request, idempotency, lease: null })
}

const describeIdempotency = ({ create }: StoreHarness): void => {
  test('the same key and body find the first run, another body is a conflict', async () => {
    await using site = await create()
    await using store = await site.open()
    const tenantId = await newTenant(store)

    expect(await insertWithKey(store, tenantId, { requestHash: 'one' })).toEqual({ outcome: 'created' })
    const { entries } = await store.runs.list({ tenantId, cursor: null, limit: 10, status: null })
    expect(await insertWithKey(store, tenantId, { requestHash: 'one' })).toEqual({
      outcome: 'replayed',
      run: entries[0],
    })
    expect(await insertWithKey(store, tenantId, { requestHash: 'two' })).toEqual({ outcome: 'conflict' })
    expect((await store.runs.list({ tenantId, cursor: null, limit: 10, status: null })).entries).toHaveLength(1)
  })

  test('of 10 requests at once with one key one is executed', async () => {
    await using site = await create()
    await using store = await site.open()
    const tenantId = await newTenant(store)

    const all = await Promise.all(
      Array.from({ length: 10 }, () => insertWithKey(store, tenantId, { requestHash: 'one' })),
    )

    expect(all.filter(({ outcome }) => outcome === 'created')).toHaveLength(1)
    expect(all.filter(({ outcome }) => outcome === 'replayed')).toHaveLength(9)
    expect((await store.runs.list({ tenantId, cursor: null, limit: 50, status: null })).entries).toHaveLength(1)
  })

  test('keys belong to their tenant and end with their time', async () => {
    await using site = await create()
    await using store = await site.open()
    const tenantId = await newTenant(store)
    await insertWithKey(store, tenantId, { requestHash: 'one' })

    expect((await insertWithKey(store, await newTenant(store, 'bob'), { requestHash: 'two' })).outcome).toBe('created')
    expect((await insertWithKey(store, tenantId, { requestHash: 'two', createdAtMs: 999 })).outcome).toBe('conflict')
    expect((await insertWithKey(store, tenantId, { requestHash: 'two', createdAtMs: 1000 })).outcome).toBe('created')
  })
}

const describeCounts = ({ create }: StoreHarness): void => {
  test('finished runs are counted by berth, those that the platform failed apart', async () => {
    await using site = await create()
    await using store = await site.open()
    const [ada, bob] = [await signUp(store, 'ada'), await signUp(store, 'bob')]
    const [one, other] = [ada.berth?.id ?? null, bob.berth?.id ?? null]
    await store.runs.record([
      storedRun(ada.tenant.id, finished(newRun(), 'succeeded', 1), one),
      storedRun(ada.tenant.id, finished(newRun(), 'failed', 10), one),
      storedRun(ada.tenant.id, finished(newRun(), 'system_error', 20), one),
      storedRun(bob.tenant.id, finished(newRun(), 'succeeded', 5), other),
      storedRun(bob.tenant.id, finished(newRun(), 'succeeded', 50), null),
    ])
    await enqueue(store, ada.tenant.id)

    expect(await store.runs.countByBerth({ since: at(6) })).toEqual([
      { berthId: one, runs: 2, platformFailures: 1, lastAt: at(20) },
    ])
    expect(await store.runs.countByBerth({ since: at(0) })).toHaveLength(2)
    expect(await store.runs.countByBerth({ since: at(100) })).toEqual([])
  })
}

const describeQueue = ({ create }: StoreHarness): void => {
  test('queued runs are leased oldest first, each by one owner', async () => {
    await using site = await create()
    await using store = await site.open()
    const tenantId = await newTenant(store)
    const runs = []
    for (let ms = 0; ms < 8; ms += 1) runs.push(await enqueue(store, tenantId, { createdAt: at(ms).toISOString() }))

    const first = await store.runs.lease({ lease: leaseOf('a'), limit: 3, now: at(0) })
    const [second, third] = await Promise.all([
      store.runs.lease({ lease: leaseOf('b'), limit: 3, now: at(0) }),
      store.runs.lease({ lease: leaseOf('c'), limit: 3, now: at(0) }),
    ])

    expect(first.map(({ run }) => run.id)).toEqual([runs[0]?.id, runs[1]?.id, runs[2]?.id])
    expect(first[0]).toMatchObject({ tenantId, attempts: 1, request })
    const all = [...first, ...second, ...third].map(({ run }) => run.id)
    expect(new Set(all).size).toBe(all.length)
  })

  test('tenants who flood the queue do not delay the others, whose runs come next', async () => {
    await using site = await create()
    await using store = await site.open()
    const [ada, bob, eve] = [
      await newTenant(store, 'ada'),
      await newTenant(store, 'bob'),
      await newTenant(store, 'eve'),
    ]
    const flood = []
    for (let ms = 0; ms < 40; ms += 1)
      flood.push(await enqueue(store, ms % 2 === 0 ? ada : bob, { createdAt: at(ms).toISOString() }))
    const late = await enqueue(store, eve, { createdAt: at(40).toISOString() })

    const first = await store.runs.lease({ lease: leaseOf('a'), limit: 3, now: at(50) })

    expect(first.map(({ run }) => run.id)).toEqual([flood[0]?.id, flood[1]?.id, late.id])
  })

  test('who flooded the queue does not wait for ever behind those who come after', async () => {
    await using site = await create()
    await using store = await site.open()
    const [ada, bob] = [await newTenant(store, 'ada'), await newTenant(store, 'bob')]
    const flood = [await enqueue(store, ada), await enqueue(store, ada)]
    await enqueue(store, bob, { createdAt: at(3_600_000).toISOString() })

    const first = await store.runs.lease({ lease: leaseOf('a'), limit: 2, now: at(0) })

    expect(first.map(({ run }) => run.id)).toEqual(flood.map(({ id }) => id))
  })

  test('a run that its inserting server leases is not taken by another until the lease ends', async () => {
    await using site = await create()
    await using store = await site.open()
    const tenantId = await newTenant(store)
    const run = newRun({ status: 'running' })
    await store.runs.insert({ stored: storedRun(tenantId, run), request, idempotency: null, lease: leaseOf('a', 1000) })

    expect(await store.runs.lease({ lease: leaseOf('b', 2000), limit: 5, now: at(999) })).toEqual([])
    const [taken] = await store.runs.lease({ lease: leaseOf('b', 2000), limit: 5, now: at(1000) })

    expect(taken).toMatchObject({ run, attempts: 2 })
    expect(await store.runs.settle(run.id, leaseOf('a', 9000), storedRun(tenantId, finished(run)))).toBe(false)
    expect((await store.runs.find(tenantId, run.id))?.run).toEqual(run)
  })

  test('progress extends the lease, the end is final', async () => {
    await using site = await create()
    await using store = await site.open()
    const tenantId = await newTenant(store)
    const run = await enqueue(store, tenantId)
    await store.runs.lease({ lease: leaseOf('a', 1000), limit: 1, now: at(0) })
    const running = { ...run, status: 'running' as const, startedAt: at(1).toISOString() }
    const end = finished(running, 'failed', 2)

    expect(await store.runs.settle(run.id, leaseOf('a', 5000), storedRun(tenantId, running))).toBe(true)
    expect(await store.runs.lease({ lease: leaseOf('b', 9000), limit: 1, now: at(4999) })).toEqual([])
    expect(await store.runs.settle(run.id, leaseOf('a', 5000), storedRun(tenantId, end))).toBe(true)
    expect(await store.runs.settle(run.id, leaseOf('a', 5000), storedRun(tenantId, running))).toBe(false)
    expect(await store.runs.lease({ lease: leaseOf('b', 9000), limit: 1, now: at(8000) })).toEqual([])
    expect((await store.runs.find(tenantId, run.id))?.run).toEqual(end)
  })

  test('a heartbeat extends leases and names what is to be canceled and what is lost', async () => {
    await using site = await create()
    await using store = await site.open()
    const tenantId = await newTenant(store)
    const kept = await enqueue(store, tenantId, { status: 'running' })
    const unwanted = await enqueue(store, tenantId, { status: 'running' })
    const lost = await enqueue(store, tenantId, { status: 'running' })
    await store.runs.lease({ lease: leaseOf('a'), limit: 3, now: at(0) })
    await store.runs.requestCancel(tenantId, unwanted.id, at(1))
    await store.runs.settle(lost.id, leaseOf('a'), storedRun(tenantId, finished(lost)))

    const beat = await store.runs.heartbeat([kept.id, unwanted.id, lost.id], leaseOf('a', 5000))

    expect(beat).toEqual({ cancel: [unwanted.id], lost: [lost.id] })
    expect(await store.runs.lease({ lease: leaseOf('b', 9000), limit: 5, now: at(4999) })).toEqual([])
    expect(await store.runs.heartbeat([kept.id], leaseOf('stranger', 9000))).toEqual({ cancel: [], lost: [kept.id] })
    expect(await store.runs.heartbeat([], leaseOf('a'))).toEqual({ cancel: [], lost: [] })
    expect(await store.runs.lease({ lease: leaseOf('b', 9000), limit: 5, now: at(5000) })).toHaveLength(1)
  })

  test('a queued run is canceled at once, a running one is marked, an ended one stays', async () => {
    await using site = await create()
    await using store = await site.open()
    const tenantId = await newTenant(store)
    const queued = await enqueue(store, tenantId)
    const running = await enqueue(store, tenantId, { status: 'running' })
    const ended = finished(newRun())
    await store.runs.record([storedRun(tenantId, ended)])

    const canceled = await store.runs.requestCancel(tenantId, queued.id, at(7))

    expect(canceled).toMatchObject({ status: 'canceled', failure: { code: 'canceled' }, timings: { totalMs: 7 } })
    expect((await store.runs.find(tenantId, queued.id))?.run).toEqual(canceled)
    expect(await store.runs.requestCancel(tenantId, running.id, at(7))).toEqual(running)
    expect(await store.runs.requestCancel(tenantId, ended.id, at(7))).toEqual(ended)
    expect(await store.runs.requestCancel(await newTenant(store, 'bob'), running.id, at(7))).toBeNull()
    expect(await store.runs.requestCancel(tenantId, ids.runId(), at(7))).toBeNull()
  })

  test('a lease settles a run as canceled whose cancel was asked for', async () => {
    await using site = await create()
    await using store = await site.open()
    const tenantId = await newTenant(store)
    const run = await enqueue(store, tenantId, { status: 'running' })
    await store.runs.requestCancel(tenantId, run.id, at(1))

    expect(await store.runs.lease({ lease: leaseOf('a'), limit: 5, now: at(2) })).toEqual([])

    expect((await store.runs.find(tenantId, run.id))?.run.status).toBe('canceled')
  })

  test('the runs of a tenant that is being deleted are canceled, and new ones are refused', async () => {
    await using site = await create()
    await using store = await site.open()
    const tenantId = await newTenant(store)
    const run = await enqueue(store, tenantId)
    await store.tenants.requestDeletion(deletion('ada'))

    expect(await store.runs.lease({ lease: leaseOf('a'), limit: 5, now: at(2) })).toEqual([])
    expect((await store.runs.find(tenantId, run.id))?.run.status).toBe('canceled')
    await expect(enqueue(store, tenantId)).rejects.toMatchObject(hasCode('tenant_deleted'))
  })
}

const describeRecords = ({ create }: StoreHarness): void => {
  test('1,200 finished runs are recorded at once, and again without harm', async () => {
    await using site = await create()
    await using store = await site.open()
    const tenantId = await newTenant(store)
    const runs = Array.from({ length: 1200 }, () => storedRun(tenantId, finished(newRun())))

    await store.runs.record([...runs, ...runs.slice(0, 3)])
    await store.runs.record(runs)
    await store.runs.record([])

    const page = await store.runs.list({ tenantId, cursor: null, limit: 2000, status: 'succeeded' })
    expect(page.entries).toHaveLength(1200)
  })

  test('a run comes back as it was, whatever its code printed', async () => {
    await using site = await create()
    await using store = await site.open()
    const tenantId = await newTenant(store)
    const { berth } = await signUp(store, 'ada')
    const logs = { ...newRun().logs, stdout: 'NUL \0, half a pair \uD83D, emoji 🦜, quote " \\ \u2028' }
    const run = finished(newRun({ logs, results: [{ isMain: true, json: { π: [1e308, -0.5, null] } }] }))

    await store.runs.record([storedRun(tenantId, run, berth?.id)])

    expect(await store.runs.find(tenantId, run.id)).toEqual({ run, tenantId, berthId: berth?.id })
  })

  test('a tenant neither reads nor overwrites the run of another', async () => {
    await using site = await create()
    await using store = await site.open()
    const ada = await newTenant(store, 'ada')
    const bob = await newTenant(store, 'bob')
    const run = finished(newRun())
    await store.runs.record([storedRun(ada, run)])

    await store.runs.record([storedRun(bob, finished(run, 'failed'))])

    expect(await store.runs.find(bob, run.id)).toBeNull()
    expect((await store.runs.list({ tenantId: bob, cursor: null, limit: 5, status: null })).entries).toEqual([])
    expect((await store.runs.find(ada, run.id))?.run.status).toBe('succeeded')
  })

  test('a walk over the runs, newest first, sees each once while new ones come', async () => {
    await using site = await create()
    await using store = await site.open()
    const tenantId = await newTenant(store)
    const old = Array.from({ length: 11 }, (_, index) =>
      finished(newRun({ createdAt: at(Math.floor(index / 4)).toISOString() })),
    )
    await store.runs.record(old.map((run) => storedRun(tenantId, run)))
    const seen: string[] = []
    let cursor: string | null = null
    do {
      const page = await store.runs.list({ tenantId, cursor, limit: 3, status: null })
      seen.push(...page.entries.map(({ id }) => id))
      await store.runs.record([storedRun(tenantId, finished(newRun({ createdAt: at(50).toISOString() })))])
      cursor = page.nextCursor
    } while (cursor !== null)

    expect(seen).toHaveLength(11)
    expect(new Set(seen)).toEqual(new Set(old.map(({ id }) => id)))
  })

  test('old terminal runs and idempotency keys are deleted, what is still queued stays', async () => {
    await using site = await create()
    await using store = await site.open()
    const tenantId = await newTenant(store)
    const queued = await enqueue(store, tenantId)
    const old = Array.from({ length: 3 }, () => finished(newRun(), 'succeeded', 10))
    const young = finished(newRun(), 'succeeded', 20)
    await store.runs.record([...old, young].map((run) => storedRun(tenantId, run)))

    const first = await store.runs.deleteExpired({ before: at(20), now: at(100), limit: 2 })
    const second = await store.runs.deleteExpired({ before: at(20), now: at(100), limit: 2 })

    expect([...first, ...second].map(({ run }) => run.id).toSorted()).toEqual(old.map(({ id }) => id).toSorted())
    expect(await store.runs.deleteExpired({ before: at(20), now: at(100), limit: 2 })).toEqual([])
    expect(await store.runs.find(tenantId, queued.id)).not.toBeNull()
    expect(await store.runs.find(tenantId, young.id)).not.toBeNull()
  })
}

export const describeRuns = (harness: StoreHarness): void => {
  describe('idempotency keys', () => {
    describeIdempotency(harness)
  })
  describe('the queue of runs', () => {
    describeQueue(harness)
  })
  describe('records of runs', () => {
    describeRecords(harness)
  })
  describe('counts of runs', () => {
    describeCounts(harness)
  })
}
