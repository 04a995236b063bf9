import { assert, asyncProperty, record, string } from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  addSpare,
  at,
  deletion,
  externalId,
  hasCode,
  ids,
  livingBerths,
  signUp,
  signUpOptions,
  type StoreHarness,
  workOff,
} from './store-site.ts'

/** Any text that the domain lets through: every plane of Unicode, but no lone surrogate and no NUL. */
const opaque = (minLength: number) =>
  string({ unit: 'binary', minLength, maxLength: 60 }).filter((text) => !text.includes('\0') && text.isWellFormed())
const anyExternalId = record({ project: opaque(1), identityTenant: opaque(0), uid: opaque(1) })

const describeSignUp = ({ create }: StoreHarness): void => {
  test('a sign-up makes a tenant and a berth to provision', async () => {
    await using site = await create()
    await using store = await site.open()

    const { tenant, berth, outcome } = await signUp(store, 'ada')

    expect(outcome).toBe('created')
    expect(tenant).toMatchObject({ externalId: externalId('ada'), state: 'active', createdAt: at(0), receipt: null })
    expect(berth).toMatchObject({ tenantId: tenant.id, state: 'provisioning', claimedAt: at(0), readyAt: null })
    expect(await store.tenants.find(tenant.id)).toEqual(tenant)
    expect(await store.tenants.findByExternalId(externalId('ada'))).toEqual(tenant)
    expect(await store.berths.findByTenant(tenant.id)).toEqual(berth)
  })

  test('many are found at once, in the order in which they were asked for; a tombstone is one of them', async () => {
    await using site = await create()
    await using store = await site.open()
    const { tenant: ada } = await signUp(store, 'ada')
    const { tenant: twin } = await signUp(store, 'Ada')
    const gone = await store.tenants.requestDeletion(deletion('gone'))

    expect(await store.tenants.findByExternalIds([])).toEqual([])
    expect(
      await store.tenants.findByExternalIds(['Ada', 'nobody', 'ada', 'gone', 'Ada'].map((uid) => externalId(uid))),
    ).toEqual([twin, null, ada, gone, twin])
    expect(await store.tenants.findByExternalIds([externalId('ada', 'forum')])).toEqual([null])
  })

  test('a second sign-up of the same user finds the first', async () => {
    await using site = await create()
    await using store = await site.open()
    const first = await signUp(store, 'ada')

    const second = await signUp(store, 'ada')

    expect(second).toEqual({ ...first, outcome: 'existing' })
    expect(await livingBerths(store)).toBe(1)
  })

  test('20 sign-ups of one user at once end with one tenant and one berth', async () => {
    await using site = await create()
    await using store = await site.open()

    const all = await Promise.all(Array.from({ length: 20 }, () => signUp(store, 'ada')))

    expect(new Set(all.map(({ tenant }) => tenant.id)).size).toBe(1)
    expect(new Set(all.map(({ berth }) => berth?.id)).size).toBe(1)
    expect(all.filter(({ outcome }) => outcome === 'created')).toHaveLength(1)
    expect(await livingBerths(store)).toBe(1)
  })

  test('50 sign-ups at once on 10 spares take each spare once and make 40 berths', async () => {
    await using site = await create()
    await using store = await site.open()
    for (let spare = 0; spare < 10; spare += 1) await addSpare(store)
    await workOff(store)

    const all = await Promise.all(Array.from({ length: 50 }, (_, user) => signUp(store, `user${user}`)))

    expect(new Set(all.map(({ berth }) => berth?.id)).size).toBe(50)
    expect(all.filter(({ berth }) => berth?.state === 'ready')).toHaveLength(10)
    expect(await store.berths.countByState()).toMatchObject({ ready: 10, provisioning: 40, spare: 0 })
  })

  test('the cap on berths holds when sign-ups and spares race for the last ones', async () => {
    await using site = await create()
    await using store = await site.open()
    const maxBerths = 7
    const newcomers = Array.from({ length: 15 }, (_, user) => signUp(store, `user${user}`, { maxBerths }))
    const spares = Array.from({ length: 15 }, () => addSpare(store, { maxBerths, maxSpares: 3 }))

    const signUps = await Promise.allSettled(newcomers)
    await Promise.all(spares)

    const refused = signUps.filter((result) => result.status === 'rejected')
    expect(await livingBerths(store)).toBe(maxBerths)
    for (const { reason } of refused) expect(reason).toMatchObject(hasCode('berth_cap_reached'))
    const tenants = await store.tenants.list({ cursor: null, limit: 100, state: null })
    expect(tenants.entries).toHaveLength(15 - refused.length)
  })

  test('the share of a project holds when its sign-ups race, and leaves the others theirs', async () => {
    await using site = await create()
    await using store = await site.open()
    const share = { maxBerths: 100, maxBerthsPerProject: 4 }
    const of = (project: string, uid: string) =>
      signUp(store, uid, { ...share, externalId: { ...externalId(uid), project } })

    const flood = await Promise.allSettled(Array.from({ length: 12 }, (_, user) => of('flooded', `user${user}`)))
    const other = await of('calm', 'ada')

    expect(flood.filter(({ status }) => status === 'fulfilled')).toHaveLength(4)
    const refused = flood.filter((result) => result.status === 'rejected')
    for (const { reason } of refused) expect(reason).toMatchObject(hasCode('berth_cap_reached'))
    expect([other.outcome, await livingBerths(store)]).toEqual(['created', 5])
  })

  test('a refused sign-up leaves nothing behind and passes when there is room', async () => {
    await using site = await create()
    await using store = await site.open()

    await expect(signUp(store, 'ada', { maxBerths: 0 })).rejects.toMatchObject(hasCode('berth_cap_reached'))
    expect(await store.tenants.findByExternalId(externalId('ada'))).toBeNull()
    expect((await signUp(store, 'ada', { maxBerths: 1 })).outcome).toBe('created')
  })

  test('at the cap a newcomer gets a spare that is still on its way', async () => {
    await using site = await create()
    await using store = await site.open()
    const spare = await addSpare(store)

    const { berth } = await signUp(store, 'ada', { maxBerths: 1 })

    expect(berth?.id).toBe(spare?.id)
    expect(berth?.state).toBe('provisioning')
  })

  test('spares of another backend or cell are not taken', async () => {
    await using site = await create()
    await using store = await site.open()
    await addSpare(store, { cell: 'elsewhere' })
    await addSpare(store, { backend: 'lambda' })
    await workOff(store)

    const { berth } = await signUp(store, 'ada')

    expect(berth).toMatchObject({ backend: 'local', cell: 'home', state: 'provisioning' })
  })

  test('a tenant whose berth was deleted gets a new one', async () => {
    await using site = await create()
    await using store = await site.open()
    const first = await signUp(store, 'ada')
    if (first.berth === null) throw new Error('no berth')
    await store.berths.setState(first.berth.id, ['provisioning'], 'deprovisioning')
    await workOff(store)
    expect(await store.berths.findByTenant(first.tenant.id)).toBeNull()

    const second = await signUp(store, 'ada')

    expect(second.outcome).toBe('existing')
    expect(second.berth?.id).not.toBe(first.berth.id)
  })

  test('every external id is a tenant of its own, whatever Unicode it is', async () => {
    await using site = await create()
    await using store = await site.open()
    const seen = new Map<string, string>()

    await assert(
      asyncProperty(anyExternalId, async (id) => {
        const { tenant } = await signUp(store, '', { externalId: id, maxBerths: 100_000 })
        expect(tenant.externalId).toEqual(id)
        expect(await store.tenants.findByExternalId(id)).toEqual(tenant)
        const key = JSON.stringify([id.project, id.identityTenant, id.uid])
        expect(seen.get(key) ?? tenant.id).toBe(tenant.id)
        seen.set(key, tenant.id)
      }),
      { numRuns: 60 },
    )
    expect(new Set(seen.values()).size).toBe(seen.size)
  })

  test.for([
    ['case twins', externalId('Ada'), externalId('ada')],
    ['é composed and decomposed', externalId('\u00E9'), externalId('e\u0301')],
    ['letters of one shape and another, as NFKC would have them', externalId('ﬁ\u212A'), externalId('fiK')],
    ['a trailing line feed', externalId('ada'), externalId('ada\n')],
    ['a trailing space', externalId('ada'), externalId('ada ')],
    [
      'parts that read the same when joined',
      { project: 'a:b', identityTenant: 'c', uid: 'd' },
      { project: 'a', identityTenant: 'b:c', uid: 'd' },
    ],
    ['an emoji with and without its modifier', externalId('👍'), externalId('👍🏽')],
    ['the identity tenant', externalId('ada'), { ...externalId('ada'), identityTenant: 'x' }],
  ] as const)('%s make two tenants', async ([, one, other]) => {
    await using site = await create()
    await using store = await site.open()

    const first = await signUp(store, '', { externalId: one })
    const second = await signUp(store, '', { externalId: other })

    expect(second.outcome).toBe('created')
    expect(second.tenant.id).not.toBe(first.tenant.id)
  })
}

const describeEvents = ({ create }: StoreHarness): void => {
  test('an event that comes twice changes nothing', async () => {
    await using site = await create()
    await using store = await site.open()
    const first = await signUp(store, 'ada', { event: { id: 'e1' } })

    expect(await signUp(store, 'ada', { event: { id: 'e1' } })).toEqual({ ...first, outcome: 'existing' })
  })

  test('one event id for two users is refused aloud, and the second user is not half made', async () => {
    await using site = await create()
    await using store = await site.open()
    await signUp(store, 'ada', { event: { id: 'e1' } })

    await expect(signUp(store, 'bob', { event: { id: 'e1' } })).rejects.toMatchObject(hasCode('conflict'))
    expect(await store.tenants.findByExternalId(externalId('bob'))).toBeNull()
  })

  test('projects number their events independently, and a deletion may carry the id of the creation', async () => {
    await using site = await create()
    await using store = await site.open()
    await signUp(store, 'ada', { event: { id: 'e1' } })

    const other = await signUp(store, '', { externalId: externalId('ada', 'forum'), event: { id: 'e1' } })
    const deleted = await store.tenants.requestDeletion({ ...deletion('ada'), event: { id: 'e1' } })

    expect(other.outcome).toBe('created')
    expect(deleted.state).toBe('deprovisioning')
  })

  test('event ids are forgotten after 30 days', async () => {
    await using site = await create()
    await using store = await site.open()
    const day = 24 * 60 * 60 * 1000
    await signUp(store, 'ada', { event: { id: 'e1' } })

    await store.runs.deleteExpired({ before: at(0), now: at(29 * day), limit: 1 })
    await expect(signUp(store, 'bob', { event: { id: 'e1' } })).rejects.toMatchObject(hasCode('conflict'))
    await store.runs.deleteExpired({ before: at(0), now: at(30 * day), limit: 1 })

    expect((await signUp(store, 'bob', { event: { id: 'e1' } })).outcome).toBe('created')
  })
}

const describeLists = ({ create }: StoreHarness): void => {
  test('a walk over the tenants sees each once while new ones come', async () => {
    await using site = await create()
    await using store = await site.open()
    // The same millisecond for several, so that the id must break the tie.
    for (let user = 0; user < 10; user += 1) await signUp(store, `user${user}`, { now: at(Math.floor(user / 4)) })
    const seen: string[] = []
    let cursor: string | null = null
    do {
      const page = await store.tenants.list({ cursor, limit: 3, state: null })
      seen.push(...page.entries.map(({ id }) => id))
      if (seen.length < 9) await signUp(store, `late${seen.length}`, { now: at(10) })
      cursor = page.nextCursor
    } while (cursor !== null)

    expect(new Set(seen).size).toBe(seen.length)
    expect(seen).toHaveLength(12)
  })

  test('suspending and resuming move only tenants that are active or suspended', async () => {
    await using site = await create()
    await using store = await site.open()
    const { tenant } = await signUp(store, 'ada')

    expect((await store.tenants.setSuspended(tenant.id, true))?.state).toBe('suspended')
    expect((await store.tenants.list({ cursor: null, limit: 5, state: 'suspended' })).entries).toHaveLength(1)
    const unknown = ids.tenantId()
    expect([...(await store.tenants.statesOf([tenant.id, unknown]))]).toEqual([[tenant.id, 'suspended']])
    expect((await store.tenants.statesOf([])).size).toBe(0)
    expect((await store.tenants.setSuspended(tenant.id, false))?.state).toBe('active')
    await store.tenants.requestDeletion(deletion('ada'))
    expect(await store.tenants.setSuspended(tenant.id, false)).toBeNull()
    expect(await store.tenants.setSuspended(ids.tenantId(), true)).toBeNull()
  })

  test.for(['', 'x', '!!!', 'W10', 'WyJhIiwiYiJd', 'a'.repeat(5000), 'bnVsbA'])(
    'the cursor %j is refused by its name',
    async (cursor) => {
      await using site = await create()
      await using store = await site.open()
      const error = { code: 'invalid_request', errors: [{ pointer: '/cursor' }] }

      await expect(store.tenants.list({ cursor, limit: 5, state: null })).rejects.toMatchObject(error)
      await expect(store.berths.list({ cursor, limit: 5, states: null })).rejects.toMatchObject(error)
      const runs = { tenantId: ids.tenantId(), cursor, limit: 5, status: null }
      await expect(store.runs.list(runs)).rejects.toMatchObject(error)
    },
  )
}

const describeServers = ({ create, severalServers }: StoreHarness): void => {
  const whySkipped = 'SQLite: one server owns the folder'
  const options = severalServers ? {} : { skip: true, meta: { whySkipped } }
  describe('several servers on one database', options, () => {
    test('two servers that sign one user up at once make one berth', async () => {
      await using site = await create()
      await using one = await site.open()
      await using two = await site.open()

      const all = await Promise.all(
        Array.from({ length: 20 }, (_, step) => (step % 2 === 0 ? one : two).tenants.signUp(signUpOptions('ada'))),
      )

      expect(new Set(all.map(({ berth }) => berth?.id)).size).toBe(1)
    })

    test('two servers share the spares without taking one twice', async () => {
      await using site = await create()
      await using one = await site.open()
      await using two = await site.open()
      for (let spare = 0; spare < 10; spare += 1) await addSpare(one)
      await workOff(one)

      const all = await Promise.all(
        Array.from({ length: 30 }, (_, user) => signUp(user % 2 === 0 ? one : two, `user${user}`)),
      )

      expect(new Set(all.map(({ berth }) => berth?.id)).size).toBe(30)
      expect(all.filter(({ berth }) => berth?.state === 'ready')).toHaveLength(10)
    })

    test('servers that start at once on an empty database all start', async () => {
      await using site = await create()

      const stores = await Promise.all(Array.from({ length: 5 }, () => site.open()))

      for (const store of stores) expect((await signUp(store, 'ada')).tenant.externalId).toEqual(externalId('ada'))
      for (const store of stores) await store[Symbol.asyncDispose]()
    })
  })
}

export const describeTenants = (harness: StoreHarness): void => {
  describe('sign-up', () => {
    describeSignUp(harness)
  })
  describe('events', () => {
    describeEvents(harness)
  })
  describe('lists', () => {
    describeLists(harness)
  })
  describeServers(harness)
}
