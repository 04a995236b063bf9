import { expect, test } from 'vitest'
import { codeOf, collect, quiet } from '../contract/content.ts'
import { createProvisioner } from '../../src/provisioner/provisioner.ts'
import { clock, externalId, ids, openProvisioningSite, type ProvisioningSite } from '../support/provisioning-site.ts'

const signal = quiet()

test('a deleted tenant leaves no resources and a receipt that says what was looked for', async () => {
  await using site = await openProvisioningSite()
  site.work()
  const { tenant, berth } = await site.provisioner.ensureBerth(externalId('ada'), { signal })

  const deleted = site.log.next('tenant.deleted')
  await site.provisioner.requestDeletion(externalId('ada'), null)
  await deleted

  expect(await collect(site.folders.list({ signal }))).toEqual([])
  const found = await site.provisioner.find(tenant.id)
  expect(found?.tenant).toMatchObject({ state: 'deleted', externalId: null, receipt: { berthIds: [berth.id] } })
  expect(found?.tenant.receipt?.verifiedAbsent).not.toEqual([])
})

test('a deletion before the sign-up keeps a late sign-up out', async () => {
  await using site = await openProvisioningSite()
  site.work()
  await site.provisioner.requestDeletion(externalId('ada'), { id: 'event-2' })

  const { outcome, berth } = await site.provisioner.signUp(externalId('ada'), { id: 'event-1' })

  expect([outcome, berth]).toEqual(['tombstone', null])
  expect(await codeOf(site.provisioner.ensureBerth(externalId('ada'), { signal }))).toBe('tenant_deleted')
})

test('a tenant deleted while the berth is being made leaves nothing behind', async () => {
  const arrived = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  const fault = async (step: string) => {
    if (step !== 'created') return
    arrived.resolve()
    await goOn.promise
  }
  await using site = await openProvisioningSite({ fault })
  site.work()
  await site.provisioner.signUp(externalId('ada'), null)
  await arrived.promise

  const deleted = site.log.next('tenant.deleted')
  await site.provisioner.requestDeletion(externalId('ada'), null)
  goOn.resolve()
  await deleted

  expect(await collect(site.folders.list({ signal }))).toEqual([])
})

test('a suspended tenant is refused at once, though the berth was remembered', async () => {
  await using site = await openProvisioningSite({ lookupTtlMs: 3_600_000 })
  site.work()
  const { tenant } = await site.provisioner.ensureBerth(externalId('ada'), { signal })

  await site.provisioner.suspend(tenant.id)

  expect(await codeOf(site.provisioner.ensureBerth(externalId('ada'), { signal }))).toBe('tenant_suspended')
  await site.provisioner.resume(tenant.id)
  expect((await site.provisioner.ensureBerth(tenant.id, { signal })).tenant.state).toBe('active')
})

test('a suspension by another process holds once the remembered lookup is too old', async () => {
  await using site = await openProvisioningSite({ lookupTtlMs: 1 })
  site.work()
  const { tenant } = await site.provisioner.ensureBerth(externalId('ada'), { signal })

  await site.store.tenants.setSuspended(tenant.id, true)

  await expect.poll(() => codeOf(site.provisioner.ensureBerth(tenant.id, { signal }))).toBe('tenant_suspended')
})

test('a remembered tenant is found without the store', async () => {
  await using site = await openProvisioningSite({ lookupTtlMs: 3_600_000 })
  site.work()
  const { tenant } = await site.provisioner.ensureBerth(externalId('ada'), { signal })

  await site.store.tenants.setSuspended(tenant.id, true)

  expect((await site.provisioner.ensureBerth(externalId('ada'), { signal })).tenant.id).toBe(tenant.id)
})

test('a deleted tenant cannot be suspended', async () => {
  await using site = await openProvisioningSite()
  const { id } = await site.provisioner.requestDeletion(externalId('ada'), null)

  expect(await codeOf(site.provisioner.suspend(id))).toBe('conflict')
})

test('a suspension reaches who joins a lookup that began before it', async () => {
  await using site = await openProvisioningSite({ lookupTtlMs: 3_600_000 })
  const stop = site.work()
  const { tenant } = await site.provisioner.ensureBerth(externalId('ada'), { signal })
  await stop()
  // A second process-wide view of the same store whose reads can be held back.
  const held = Promise.withResolvers<void>()
  const read = Promise.withResolvers<void>()
  const slow = createSlowProvisioner(site, async () => {
    read.resolve()
    await held.promise
  })
  const before = slow.ensureBerth(tenant.id, { signal })
  await read.promise
  await slow.suspend(tenant.id)
  const after = codeOf(slow.ensureBerth(tenant.id, { signal }))
  held.resolve()

  await before
  expect(await after).toBe('tenant_suspended')
  expect(await codeOf(slow.ensureBerth(tenant.id, { signal }))).toBe('tenant_suspended')
})

/** Another provisioner on the same store whose first look at a tenant's berth can be held back after it was read. */
const createSlowProvisioner = ({ store, folders, log }: ProvisioningSite, afterFirstRead: () => Promise<void>) => {
  let isFirst = true
  const findByTenant: typeof store.berths.findByTenant = async (tenantId) => {
    const berth = await store.berths.findByTenant(tenantId)
    if (isFirst) {
      isFirst = false
      await afterFirstRead()
    }
    return berth
  }
  const berths = { ...store.berths, findByTenant }
  const fleet = { selfTest: () => Promise.reject(new Error('nothing is made here')) }
  return createProvisioner(
    {
      store: { tenants: store.tenants, owners: store.owners, berths },
      clock,
      ids,
      events: log,
      berths: folders,
      fleet,
    },
    { pickCell: async () => 'home', spares: 0, maxBerths: 1000, lookupTtlMs: 3_600_000 },
  )
}
