import { describe, expect, test } from 'vitest'
import { berthsIn, tenantsIn } from '../../src/main/deployment/berths-of-tenants.ts'
import { createStoreActivity } from '../../src/main/deployment/store-activity.ts'
import { quiet } from './content.ts'
import { addSpare, ids, signUp, type StoreHarness, workOff } from './store-site.ts'

/** What a rollout reads of the rows. */
export const describeRolloutRows = ({ create }: StoreHarness): void => {
  describe('for a rollout', () => {
    test('tenants are found by the berths that they live in, each with its cell', async () => {
      await using site = await create()
      await using store = await site.open()
      const [one, , three] = [
        await signUp(store, 'one'),
        await signUp(store, 'two'),
        await signUp(store, 'three', { cell: 'away' }),
      ]

      const found = await berthsIn(store.berths, [one.tenant.id, three.tenant.id, one.tenant.id])

      expect([...found.keys()]).toEqual([one.berth?.id, three.berth?.id])
      expect([...found.values()].at(-1)).toBe(
        `${three.berth?.id} of tenant ${three.tenant.id} (provisioning in cell "away")`,
      )
    })

    test('tenants without a berth are an error that names all of them', async () => {
      await using site = await create()
      await using store = await site.open()
      const { tenant } = await signUp(store, 'one')
      const unknown = [ids.tenantId(), ids.tenantId()]

      const found = berthsIn(store.berths, [tenant.id, ...unknown])

      await expect(found).rejects.toMatchObject({
        code: 'not_found',
        message: expect.stringContaining(unknown.join(', ')),
      })
      await expect(found).rejects.not.toThrow(tenant.id)
    })

    test('pinned berths are told with their tenants, spares and those that are gone without', async () => {
      await using site = await create()
      await using store = await site.open()
      const { tenant, berth } = await signUp(store, 'one')
      await signUp(store, 'two')
      const spare = await addSpare(store)
      const pinned = [berth?.id, spare?.id, ids.berthId()].flatMap((berthId) => (berthId ? [{ berthId }] : []))

      expect([...(await tenantsIn(store.berths, pinned))]).toEqual([[berth?.id, tenant.id]])
    })

    test('ready spares are canaries, and berths of suspended tenants are told until they go on', async () => {
      await using site = await create()
      await using store = await site.open()
      const { tenant, berth } = await signUp(store, 'one')
      await signUp(store, 'two')
      const spare = await addSpare(store)
      await workOff(store)
      await addSpare(store)
      const activity = createStoreActivity(store)
      await store.tenants.setSuspended(tenant.id, true)

      const suspended = await activity.suspended({ signal: quiet() })
      await store.tenants.setSuspended(tenant.id, false)

      expect(suspended).toEqual([berth?.id])
      expect(await activity.suspended({ signal: quiet() })).toEqual([])
      expect(await activity.canaries({ signal: quiet() })).toEqual([spare?.id])
    })
  })
}
