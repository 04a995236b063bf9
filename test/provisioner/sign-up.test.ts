import { expect, test } from 'vitest'
import type { Clock } from '../../src/domain/ports/clock.ts'
import { codeOf, collect, quiet } from '../contract/content.ts'
import { clock, externalId, openProvisioningSite } from '../support/provisioning-site.ts'

const signal = quiet()

test('a tenant who signs up gets a ready berth with its resources', async () => {
  await using site = await openProvisioningSite()
  site.work()

  const { tenant } = await site.provisioner.signUp(externalId('ada'), null)
  const { berth } = await site.provisioner.ensureBerth(tenant.id, { signal })

  expect(berth.state).toBe('ready')
  expect(await site.folders.find(berth.id, { signal })).toEqual({ berthId: berth.id, partial: false })
})

test('a sign-up is answered before its berth exists', async () => {
  await using site = await openProvisioningSite()

  const { berth, outcome } = await site.provisioner.signUp(externalId('ada'), null)

  expect([outcome, berth?.state]).toEqual(['created', 'provisioning'])
})

test('a sign-up wakes the worker, which does not wait for its next poll', async () => {
  await using site = await openProvisioningSite({ pollMs: 3_600_000 })
  site.work()
  await site.provisioner.signUp(externalId('first'), null)
  await site.provisioner.ensureBerth(externalId('first'), { signal })

  const ready = site.log.next('berth.ready')
  await site.provisioner.signUp(externalId('second'), null)

  expect((await ready).level).toBe('info')
})

test('the first run signs up a tenant whom no hook has named', async () => {
  await using site = await openProvisioningSite()
  site.work()

  const { tenant, berth } = await site.provisioner.ensureBerth(externalId('ada'), { signal })

  expect([tenant.state, berth.tenantId]).toEqual(['active', tenant.id])
})

test('many first runs at once make one tenant with one berth', async () => {
  await using site = await openProvisioningSite()
  site.work()

  const found = await Promise.all(
    Array.from({ length: 20 }, () => site.provisioner.ensureBerth(externalId('ada'), { signal })),
  )

  expect(new Set(found.map(({ berth }) => berth.id)).size).toBe(1)
  expect(await collect(site.folders.list({ signal }))).toHaveLength(1)
})

test('calls beyond those that may wait for a berth are told to come again, and leave those who wait alone', async () => {
  await using site = await openProvisioningSite({ waitingPerTenant: 3 })
  const ensure = (uid: string) => site.provisioner.ensureBerth(externalId(uid), { signal })
  const calls = Array.from({ length: 10 }, () => ensure('ada'))
  const outcomes = Promise.allSettled(calls)
  const refused = await Promise.any(calls.map((call) => call.then(() => Promise.reject(new Error('ready')), String)))
  const other = ensure('bob')
  site.work()

  const codes = (await outcomes).map((one) => (one.status === 'fulfilled' ? one.value.berth.state : one.reason.code))
  expect(refused).toContain('3 calls wait for it already')
  expect(Object.groupBy(codes, String)).toMatchObject({ ready: { length: 3 }, tenant_provisioning: { length: 7 } })
  expect((await other).berth.state).toBe('ready')
  expect((await ensure('ada')).berth.state).toBe('ready')
})

test('who waited in vain for a berth makes room for the next', async () => {
  await using site = await openProvisioningSite({ waitingPerTenant: 1, readyWaitMs: 0 })
  const ensure = () => site.provisioner.ensureBerth(externalId('ada'), { signal })
  await expect(ensure()).rejects.toMatchObject({
    code: 'tenant_provisioning',
    message: expect.not.stringContaining('calls'),
  })

  await expect(ensure()).rejects.toMatchObject({ message: expect.not.stringContaining('calls') })
})

test('a spare makes a sign-up ready at once, and the pool is filled again behind it', async () => {
  await using site = await openProvisioningSite({ spares: 1 })
  const spareIsReady = site.log.next('berth.ready')
  site.work()
  await spareIsReady

  const refilled = site.log.next('berth.ready')
  const { berth } = await site.provisioner.signUp(externalId('ada'), null)

  expect(berth?.state).toBe('ready')
  expect((await refilled).berthId).not.toBe(berth?.id)
})

test('who was given a spare runs code before another spare is made', async () => {
  const pollMs = 3_600_000
  const later = Promise.withResolvers<void>()
  let resting = Promise.withResolvers<void>()
  const sleep: Clock['sleep'] = (ms, until) => {
    if (ms === pollMs) resting.resolve()
    return ms === 250 ? later.promise : clock.sleep(ms, until)
  }
  await using site = await openProvisioningSite({ spares: 1, pollMs, clock: { ...clock, sleep } })
  const spareIsReady = site.log.next('berth.ready')
  site.work()
  await spareIsReady
  resting = Promise.withResolvers()
  await resting.promise

  const { berth } = await site.provisioner.signUp(externalId('ada'), null)
  await site.provisioner.ensureBerth(externalId('ada'), { signal })
  // Without the pause, another one is made within these.
  for (let turn = 0; turn < 20; turn += 1) await site.store.ping({ signal })
  const before = await collect(site.folders.list({ signal }))
  const refilled = site.log.next('berth.ready')
  later.resolve()

  expect([berth?.state, before.length]).toEqual(['ready', 1])
  expect((await refilled).berthId).not.toBe(berth?.id)
})

test('a berth that is not ready in time is told with the seconds to wait', async () => {
  await using site = await openProvisioningSite({ readyWaitMs: 0 })

  const work = site.provisioner.ensureBerth(externalId('ada'), { signal })

  await expect(work).rejects.toMatchObject({ code: 'tenant_provisioning', retryAfterSeconds: 2 })
})

test('an id that nobody has is not signed up', async () => {
  await using site = await openProvisioningSite()
  const { tenant } = await site.provisioner.signUp(externalId('ada'), null)
  const stranger = `t${tenant.id.slice(1).split('').toReversed().join('')}` as typeof tenant.id

  expect(await codeOf(site.provisioner.ensureBerth(stranger, { signal }))).toBe('not_found')
})

test('no more berths are made than may exist', async () => {
  await using site = await openProvisioningSite({ maxBerths: 1 })
  await site.provisioner.signUp(externalId('ada'), null)

  expect(await codeOf(site.provisioner.signUp(externalId('bea'), null))).toBe('berth_cap_reached')
})

test('a new berth goes to the cell that is picked, and a spare to the one picked for spares', async () => {
  await using site = await openProvisioningSite({ spares: 1, pickCell: async ({ purpose }) => `cell-for-${purpose}` })
  const added = site.log.next('spare.added')
  site.work()
  await added

  const { berth } = await site.provisioner.signUp(externalId('ada'), null)

  expect(berth?.cell).toBe('cell-for-signUp')
  const { entries } = await site.store.berths.list({ cursor: null, limit: 10, states: null })
  expect(entries.map(({ cell }) => cell)).toContain('cell-for-spare')
})

test('when no cell has room a new tenant is told so, and one that has a berth is not troubled', async () => {
  let cell: string | null = 'home'
  await using site = await openProvisioningSite({ pickCell: async () => cell })
  await site.provisioner.signUp(externalId('ada'), null)
  cell = null

  expect((await site.provisioner.signUp(externalId('ada'), null)).outcome).toBe('existing')
  const refused = site.provisioner.signUp(externalId('bob'), null)

  await expect(refused).rejects.toMatchObject({
    code: 'berth_cap_reached',
    message: 'No cell has room for another berth',
  })
})
