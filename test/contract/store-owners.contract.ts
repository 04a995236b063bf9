import { expect, test } from 'vitest'
import type { BerthOwner } from '../../src/domain/berth-owner.ts'
import type { Adoption } from '../../src/domain/ports/owner-store.ts'
import type { Store } from '../../src/domain/ports/store.ts'
import {
  addSpare,
  at,
  deletion,
  externalId,
  hasCode,
  ids,
  leaseOf,
  signUp,
  type StoreHarness,
  workOff,
} from './store-site.ts'

const due = async (store: Store, owner = 'recorder', ms = 0) =>
  store.owners.lease({ lease: leaseOf(owner, ms + 1000), limit: 10, backends: ['local'], now: at(ms) })

/** As the worker does it; what it has written. */
const recordAll = async (store: Store): Promise<readonly BerthOwner[]> => {
  const leased = await due(store)
  await store.owners.settle(
    'recorder',
    leased.map(({ owner, due: seen }) => ({ berthId: owner.berthId, due: seen })),
  )
  return leased.map(({ owner }) => owner)
}

/** The record of a tenant with a ready berth, as it lies with that berth. */
const recordOf = async (store: Store, uid = 'ada'): Promise<BerthOwner> => {
  const { berth } = await signUp(store, uid)
  await workOff(store)
  const owner = berth === null ? null : await store.owners.find(berth.id)
  if (owner === null) throw new Error('expected an owner')
  return owner
}

const adopt = (store: Store, owner: BerthOwner, adoption: Adoption = 'own', whole = true) =>
  store.owners.adopt({ owner, adoption, backend: 'local', cell: 'home', whole, now: at(50) })

export const describeOwners = ({ create }: StoreHarness): void => {
  test('a claimed berth is due until its record is written, and names its tenant by hash alone', async () => {
    await using site = await create()
    await using store = await site.open()
    const owner = await recordOf(store)

    expect(await recordAll(store)).toEqual([owner])
    expect(owner).toMatchObject({ format: 1, state: 'active', externalKey: expect.stringMatching(/^[0-9a-f]{64}$/) })
    expect(JSON.stringify(owner)).not.toContain('ada')
    expect(await recordAll(store)).toEqual([])
  })

  test('a spare is nobody’s; given to a tenant it is due', async () => {
    await using site = await create()
    await using store = await site.open()
    const spare = await addSpare(store)
    await workOff(store)
    expect(await due(store)).toEqual([])

    const { tenant } = await signUp(store, 'ada')

    expect(await recordAll(store)).toMatchObject([{ berthId: spare?.id, tenantId: tenant.id }])
  })

  test('what changes while a record is written is written again, and a failure is due again', async () => {
    await using site = await create()
    await using store = await site.open()
    const { berthId, tenantId } = await recordOf(store)
    const [leased] = await due(store)
    expect(await due(store, 'other')).toEqual([])
    await store.tenants.setSuspended(tenantId, true)
    await store.owners.settle('recorder', [{ berthId, due: leased?.due ?? null }])

    const [again] = await due(store)
    expect(again?.owner.state).toBe('suspended')
    await store.owners.settle('recorder', [{ berthId, due: null }])

    expect(await due(store)).toHaveLength(1)
  })

  test('nobody destroys a berth while its record is being written', async () => {
    await using site = await create()
    await using store = await site.open()
    const { berthId } = await recordOf(store)
    const [leased] = await due(store)
    await store.tenants.requestDeletion(deletion('ada'))
    const leaseWork = () => store.berths.lease({ lease: leaseOf('worker', 5000), limit: 10, now: at(10) })

    expect(await leaseWork()).toEqual([])
    await store.owners.settle('recorder', [{ berthId, due: leased?.due ?? null }])

    expect(await leaseWork()).toMatchObject([{ id: berthId, state: 'deprovisioning' }])
    expect(await store.owners.find(berthId)).toMatchObject({ state: 'deprovisioning' })
  })

  test('in an empty store a record makes tenant and berth, and whoever signs up by that name has them again', async () => {
    await using before = await create()
    await using after = await create()
    await using lost = await before.open()
    await using store = await after.open()
    const [ada, bea] = [await recordOf(lost, 'ada'), await recordOf(lost, 'bea')]

    expect(await adopt(store, ada)).toBe(true)
    expect(await adopt(store, bea, 'own', false)).toBe(true)
    expect(await adopt(store, ada)).toBe(false)

    expect(await store.tenants.find(ada.tenantId)).toMatchObject({ externalId: null, state: 'active' })
    expect(await store.berths.find(ada.berthId)).toMatchObject({ state: 'ready', runnerVersion: null, cell: 'home' })
    expect(await store.berths.find(bea.berthId)).toMatchObject({ state: 'provisioning' })
    const signedUp = await signUp(store, 'ada')
    expect(signedUp).toMatchObject({
      outcome: 'existing',
      tenant: { id: ada.tenantId, externalId: externalId('ada') },
      berth: { id: ada.berthId },
    })
    expect((await signUp(store, 'bea')).berth?.id).toBe(bea.berthId)
  })

  test('a suspended tenant is suspended again, also when it has signed up anew in between', async () => {
    await using before = await create()
    await using after = await create()
    await using lost = await before.open()
    await using store = await after.open()
    const [ada, bea] = [await recordOf(lost, 'ada'), await recordOf(lost, 'bea')]
    const { tenant, berth } = await signUp(store, 'bea')

    await adopt(store, { ...ada, state: 'suspended' })
    await adopt(store, { ...bea, state: 'suspended' }, 'replace')

    expect((await store.tenants.find(ada.tenantId))?.state).toBe('suspended')
    expect((await store.tenants.find(tenant.id))?.state).toBe('suspended')
    expect(await store.berths.findByTenant(tenant.id)).toMatchObject({ id: bea.berthId, state: 'ready' })
    expect(await store.tenants.findMove(tenant.id)).toMatchObject({ id: berth?.id, state: 'deprovisioning' })
  })

  test('whoever was deleted, before the store was lost or since, gets a receipt and not a berth', async () => {
    await using before = await create()
    await using after = await create()
    await using lost = await before.open()
    await using store = await after.open()
    const [ada, bea] = [await recordOf(lost, 'ada'), await recordOf(lost, 'bea')]
    const tombstone = await store.tenants.requestDeletion(deletion('bea'))

    await expect(adopt(store, bea)).rejects.toMatchObject(hasCode('conflict'))
    await adopt(store, { ...ada, state: 'deprovisioning' }, 'deprovision')
    await adopt(store, bea, 'deprovision')

    const states = await store.tenants.statesOf([ada.tenantId, tombstone.id])
    expect([...states.values()]).toEqual(['deprovisioning', 'deprovisioning'])
    expect(await store.berths.find(bea.berthId)).toMatchObject({ state: 'deprovisioning', tenantId: tombstone.id })
  })

  test('a tenant keeps the berth that it has: a second one is a conflict and leaves no row', async () => {
    await using before = await create()
    await using after = await create()
    await using lost = await before.open()
    await using store = await after.open()
    const ada = await recordOf(lost, 'ada')
    const { berth } = await signUp(store, 'ada')

    await expect(adopt(store, ada)).rejects.toMatchObject(hasCode('conflict'))
    await expect(
      adopt(store, { ...ada, externalKey: 'f'.repeat(64), tenantId: berth?.tenantId ?? ada.tenantId }),
    ).rejects.toMatchObject(hasCode('conflict'))

    expect(await store.berths.find(ada.berthId)).toBeNull()
    expect(await adopt(store, ada, 'left')).toBe(true)
    expect(await store.berths.find(ada.berthId)).toMatchObject({ state: 'deprovisioning', tenantId: null })
    expect((await signUp(store, 'ada')).berth?.id).toBe(berth?.id)
  })

  test('a berth that nobody used comes back as a spare to test, and a tenant known by hash can be deleted by its id', async () => {
    await using before = await create()
    await using after = await create()
    await using lost = await before.open()
    await using store = await after.open()
    const ada = await recordOf(lost, 'ada')
    const found = { berthId: ids.berthId(), backend: 'local', cell: 'home', now: at(1) }

    expect([await store.owners.adoptSpare(found), await store.owners.adoptSpare(found)]).toEqual([true, false])
    expect(await store.berths.find(found.berthId)).toMatchObject({ state: 'provisioning', tenantId: null })
    await adopt(store, ada)
    const asked = await store.tenants.requestDeletion({ ...deletion('nobody'), externalId: ada.tenantId })
    expect(asked).toMatchObject({ id: ada.tenantId, state: 'deprovisioning' })
    const unknown = store.tenants.requestDeletion({ ...deletion('nobody'), externalId: ids.tenantId() })
    await expect(unknown).rejects.toMatchObject(hasCode('not_found'))
  })
}
