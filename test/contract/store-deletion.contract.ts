import { expect, test } from 'vitest'
import type { Store } from '../../src/domain/ports/store.ts'
import {
  at,
  deletion,
  enqueue,
  externalId,
  finished,
  hasCode,
  livingBerths,
  newRun,
  nothingFound,
  request,
  signUp,
  storedRun,
  type StoreHarness,
  workOff,
} from './store-site.ts'

const deprovision = async (store: Store, uid: string): Promise<void> => {
  await store.tenants.requestDeletion(deletion(uid))
  await workOff(store)
  for (const { id, reports } of await store.tenants.listDeprovisioned({ limit: 10 })) {
    const berthIds = reports.map(({ berthId }) => berthId)
    const receipt = { ...nothingFound, tenantId: id, berthIds, finishedAt: at(5).toISOString() }
    await store.tenants.finishDeprovision(id, receipt, at(5))
  }
}

export const describeDeletion = ({ create }: StoreHarness): void => {
  test('a deletion marks the tenant and its berth, and the berth is leased as deletion', async () => {
    await using site = await create()
    await using store = await site.open()
    const { tenant } = await signUp(store, 'ada')
    await workOff(store)

    const marked = await store.tenants.requestDeletion(deletion('ada'))

    expect(marked).toMatchObject({ id: tenant.id, state: 'deprovisioning', externalId: externalId('ada') })
    expect(await store.tenants.requestDeletion(deletion('ada'))).toEqual(marked)
    expect(await store.tenants.listDeprovisioned({ limit: 10 })).toEqual([])
    expect((await signUp(store, 'ada')).outcome).toBe('tombstone')
  })

  test('a finished deletion leaves a tombstone with the receipt and no trace of who it was', async () => {
    await using site = await create()
    await using store = await site.open()
    const { tenant, berth } = await signUp(store, 'ada', { event: { id: 'e1' } })
    const run = await enqueue(store, tenant.id)
    const idempotency = { key: 'k', requestHash: 'h', expiresAt: at(1000) }
    await store.runs.insert({ stored: storedRun(tenant.id, newRun()), request, idempotency, lease: null })

    await deprovision(store, 'ada')

    expect(await store.tenants.find(tenant.id)).toEqual({
      ...tenant,
      externalId: null,
      state: 'deleted',
      deletedAt: at(5),
      receipt: { ...nothingFound, tenantId: tenant.id, berthIds: [berth?.id], finishedAt: at(5).toISOString() },
    })
    expect(await store.runs.find(tenant.id, run.id)).toBeNull()
    expect(await signUp(store, 'ada')).toMatchObject({ outcome: 'tombstone', berth: null, tenant: { id: tenant.id } })
    // The event's row is gone too: its id may come again.
    expect((await signUp(store, 'bob', { event: { id: 'e1' } })).outcome).toBe('created')
  })

  test('runs that end after the deletion of their tenant leave nothing behind', async () => {
    await using site = await create()
    await using store = await site.open()
    const { tenant } = await signUp(store, 'ada')
    const { tenant: other } = await signUp(store, 'bob')
    await deprovision(store, 'ada')
    const late = finished(newRun())
    const kept = finished(newRun())

    await store.runs.record([storedRun(tenant.id, late), storedRun(other.id, kept)])

    expect(await store.runs.find(tenant.id, late.id)).toBeNull()
    expect(await store.runs.find(other.id, kept.id)).not.toBeNull()
    await expect(enqueue(store, tenant.id)).rejects.toMatchObject(hasCode('tenant_deleted'))
  })

  test('a tenant is not finished while a berth is left, and may be finished twice', async () => {
    await using site = await create()
    await using store = await site.open()
    const { tenant } = await signUp(store, 'ada')
    const receipt = { ...nothingFound, tenantId: tenant.id, berthIds: [], finishedAt: at(5).toISOString() }
    const finish = () => store.tenants.finishDeprovision(tenant.id, receipt, at(5))

    await expect(finish()).rejects.toMatchObject(hasCode('conflict'))
    await store.tenants.requestDeletion(deletion('ada'))
    await expect(finish()).rejects.toMatchObject(hasCode('conflict'))
    await workOff(store)
    await finish()
    await finish()

    expect((await store.tenants.find(tenant.id))?.state).toBe('deleted')
  })

  test('a deletion that comes before the creation leaves a tombstone', async () => {
    await using site = await create()
    await using store = await site.open()

    const tombstone = await store.tenants.requestDeletion(deletion('ada'))

    expect(tombstone).toMatchObject({ state: 'deleted', externalId: null, deletedAt: at(0) })
    expect(await signUp(store, 'ada')).toEqual({ tenant: tombstone, berth: null, outcome: 'tombstone' })
    expect(await livingBerths(store)).toBe(0)
    expect(await store.tenants.listDeprovisioned({ limit: 10 })).toEqual([])
  })

  test('sign-ups and deletions of one user at once never leave a living berth', async () => {
    await using site = await create()
    await using store = await site.open()

    await Promise.all(
      Array.from({ length: 20 }, (_, step) =>
        step % 2 === 0 ? signUp(store, 'ada') : store.tenants.requestDeletion(deletion('ada')),
      ),
    )
    await workOff(store)

    expect(await livingBerths(store)).toBe(0)
    expect((await store.tenants.findByExternalId(externalId('ada')))?.state).not.toBe('active')
  })
}
