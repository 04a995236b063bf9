import { expect, test } from 'vitest'
import type { BerthId, TenantId } from '../../src/domain/ids.ts'
import type { LeasedBerth, Store } from '../../src/domain/ports/store.ts'
import {
  at,
  deletion,
  hasCode,
  ids,
  leaseOf,
  livingBerths,
  nothingFound,
  ready,
  signUp,
  type StoreHarness,
  workOff,
} from './store-site.ts'

type MoveOptions = Parameters<Store['tenants']['beginMove']>[0]

const move = (store: Store, tenantId: TenantId, changes: Partial<MoveOptions> = {}) =>
  store.tenants.beginMove({
    tenantId,
    newBerthId: ids.berthId(),
    backend: 'shared',
    keepFiles: true,
    maxBerths: 1000,
    now: at(10),
    ...changes,
  })

/** A tenant with a ready berth on `local`. */
const settled = async (store: Store, uid = 'ada') => {
  const { tenant, berth } = await signUp(store, uid)
  await workOff(store)
  if (berth === null) throw new Error('expected a berth')
  return { tenantId: tenant.id, berthId: berth.id }
}

const leaseAll = (store: Store, owner: string, now = at(20)): Promise<readonly LeasedBerth[]> =>
  store.berths.lease({ lease: leaseOf(owner, 100_000), limit: 10, now })

const own = async (store: Store, tenantId: TenantId) => {
  const berth = await store.berths.findByTenant(tenantId)
  return berth === null ? null : [berth.id, berth.state, berth.backend]
}
const stateOf = async (store: Store, berthId: BerthId) => (await store.berths.find(berthId))?.state

export const describeMoves = ({ create }: StoreHarness): void => {
  test('a move leaves the tenant its berth until the new one is ready, and then both change in one step', async () => {
    await using site = await create()
    await using store = await site.open()
    const { tenantId, berthId } = await settled(store)

    const next = await move(store, tenantId)

    expect(next).toMatchObject({ state: 'provisioning', backend: 'shared', cell: 'home', tenantId: null })
    expect(await own(store, tenantId)).toEqual([berthId, 'ready', 'local'])
    const [leased] = await leaseAll(store, 'a')
    expect(leased).toMatchObject({ id: next.id, move: { tenantId, keepsFiles: true } })
    expect(await store.berths.settle(next.id, 'a', { ...ready, now: at(30), retireAt: at(90) })).toBe(true)
    expect(await own(store, tenantId)).toEqual([next.id, 'ready', 'shared'])
    expect((await store.berths.findByTenant(tenantId))?.claimedAt).toEqual(at(30))
    expect(await stateOf(store, berthId)).toBe('deprovisioning')
    expect((await store.tenants.findMove(tenantId))?.id).toBe(berthId)
    // Runs that go on in the old berth, and servers that remember it, have until then.
    expect(await leaseAll(store, 'a', at(89))).toEqual([])
    expect(await leaseAll(store, 'a', at(90))).toMatchObject([{ id: berthId, move: { tenantId, keepsFiles: true } }])
    await store.berths.settle(berthId, 'a', { kind: 'deleted', report: nothingFound })
    expect(await store.tenants.findMove(tenantId)).toBeNull()
    expect(await livingBerths(store)).toBe(1)
  })

  test('a move that is asked for again is the same move; another has to wait for its end', async () => {
    await using site = await create()
    await using store = await site.open()
    const { tenantId } = await settled(store)
    const next = await move(store, tenantId)

    expect(await move(store, tenantId)).toEqual(next)
    await expect(move(store, tenantId, { backend: 'third' })).rejects.toMatchObject(hasCode('conflict'))
    await workOff(store, at(20))
    // Back, while what the first one left is still being deleted.
    await expect(move(store, tenantId, { backend: 'local' })).rejects.toMatchObject(hasCode('conflict'))
    await workOff(store, at(50))
    expect(await move(store, tenantId, { backend: 'local' })).toMatchObject({ backend: 'local' })
  })

  test('two who ask at once for one tenant get one berth', async () => {
    await using site = await create()
    await using store = await site.open()
    const { tenantId } = await settled(store)

    const berths = await Promise.all([move(store, tenantId), move(store, tenantId), move(store, tenantId)])

    expect(new Set(berths.map(({ id }) => id)).size).toBe(1)
    expect(await livingBerths(store)).toBe(2)
  })

  test('only an active tenant with a ready berth elsewhere can be moved', async () => {
    await using site = await create()
    await using store = await site.open()
    const { tenantId } = await settled(store)
    const { tenant: young } = await signUp(store, 'bob')

    await expect(move(store, ids.tenantId())).rejects.toMatchObject(hasCode('not_found'))
    await expect(move(store, tenantId, { backend: 'local' })).rejects.toMatchObject(hasCode('conflict'))
    await expect(move(store, young.id)).rejects.toMatchObject(hasCode('conflict'))
    await expect(move(store, tenantId, { maxBerths: 2 })).rejects.toMatchObject(hasCode('berth_cap_reached'))
    await store.tenants.setSuspended(tenantId, true)
    await expect(move(store, tenantId)).rejects.toMatchObject(hasCode('conflict'))
  })

  test('a berth on its way for a move is nobody else’s and no spare', async () => {
    await using site = await create()
    await using store = await site.open()
    const { tenantId } = await settled(store)
    const next = await move(store, tenantId)

    const { berth } = await signUp(store, 'bob', { backend: 'shared', maxBerths: 1000 })
    const spare = await store.berths.insertSpare({
      newBerthId: ids.berthId(),
      backend: 'shared',
      cell: 'home',
      maxSpares: 1,
      maxBerths: 1000,
      now: at(0),
    })

    expect(berth?.id).not.toBe(next.id)
    expect(spare).not.toBeNull()
    expect((await store.berths.countByCell()).find(({ backend }) => backend === 'shared')).toMatchObject({
      living: 3,
      readySpares: 0,
    })
  })

  test('a berth that could not be made for a move goes away, and the tenant stays where it was', async () => {
    await using site = await create()
    await using store = await site.open()
    const { tenantId, berthId } = await settled(store)
    const next = await move(store, tenantId)
    await leaseAll(store, 'a')

    await store.berths.settle(next.id, 'a', { kind: 'failed', error: 'no room' })

    expect(await store.tenants.findMove(tenantId)).toMatchObject({
      id: next.id,
      state: 'deprovisioning',
      lastError: 'no room',
    })
    expect(await own(store, tenantId)).toEqual([berthId, 'ready', 'local'])
    await workOff(store, at(20))
    expect(await store.tenants.findMove(tenantId)).toBeNull()
    expect((await move(store, tenantId)).id).not.toBe(next.id)
  })

  test.each(['before', 'after'])(
    'a deletion %s the switch takes both berths, and the receipt has both reports',
    async (when) => {
      await using site = await create()
      await using store = await site.open()
      const { tenantId, berthId } = await settled(store)
      const next = await move(store, tenantId)
      await leaseAll(store, 'a')
      if (when === 'after') await store.berths.settle(next.id, 'a', { ...ready, retireAt: at(1_000_000) })

      await store.tenants.requestDeletion(deletion('ada', at(25)))

      // Too late in both cases: the work has changed, or it is done.
      expect(await store.berths.settle(next.id, 'a', ready)).toBe(false)
      expect(await Promise.all([berthId, next.id].map((id) => stateOf(store, id)))).toEqual([
        'deprovisioning',
        'deprovisioning',
      ])
      expect(await store.tenants.listDeprovisioned({ limit: 10 })).toEqual([])
      await workOff(store, at(30))
      const [gone] = await store.tenants.listDeprovisioned({ limit: 10 })
      expect(gone?.reports.map((report) => report.berthId).toSorted()).toEqual([berthId, next.id].toSorted())
    },
  )
}
