import { expect, test } from 'vitest'
import { codeOf } from '../contract/content.ts'
import { clock, externalId, openProvisioningSite } from '../support/provisioning-site.ts'

const of = (project: string, uid: string) => ({ project, identityTenant: '', uid })

test('a flood at one project leaves the rate of another alone', async () => {
  let nowMs = 0
  await using site = await openProvisioningSite({ signUpsPerMinute: 2, clock: { ...clock, monotonicMs: () => nowMs } })
  const signUp = (project: string, uid: string) => site.provisioner.signUp(of(project, uid), null)
  await signUp('shop', 'a')
  await signUp('shop', 'b')

  await expect(signUp('shop', 'c')).rejects.toMatchObject({ code: 'rate_limited', retryAfterSeconds: 30 })
  expect((await signUp('shop', 'a')).outcome).toBe('existing')
  expect((await signUp('blog', 'a')).outcome).toBe('created')
  nowMs = 30_000
  expect((await signUp('shop', 'c')).outcome).toBe('created')
})

test('who is there already takes nothing of the rate', async () => {
  await using site = await openProvisioningSite({ signUpsPerMinute: 2, clock: { ...clock, monotonicMs: () => 0 } })
  await site.provisioner.signUp(externalId('a'), null)
  for (let n = 0; n < 5; n += 1) await site.provisioner.signUp(externalId('a'), null)

  expect((await site.provisioner.signUp(externalId('b'), null)).outcome).toBe('created')
})

test('many who come at once do not slip past the rate', async () => {
  await using site = await openProvisioningSite({ signUpsPerMinute: 3, clock: { ...clock, monotonicMs: () => 0 } })
  const uids = Array.from({ length: 10 }, (_, n) => `u${n}`)
  const answers = await Promise.allSettled(uids.map((uid) => site.provisioner.signUp(externalId(uid), null)))

  expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(3)
})

test('a project has no more berths than its share, and gets a place back when a tenant is gone', async () => {
  await using site = await openProvisioningSite({ maxBerths: 10, maxBerthsPerProject: 1 })
  const { tenant } = await site.provisioner.signUp(of('shop', 'a'), null)

  expect(await codeOf(site.provisioner.signUp(of('shop', 'b'), null))).toBe('berth_cap_reached')
  expect((await site.provisioner.signUp(of('shop', 'a'), null)).outcome).toBe('existing')
  expect((await site.provisioner.signUp(of('blog', 'a'), null)).outcome).toBe('created')

  const gone = site.log.next('tenant.deleted')
  await site.provisioner.requestDeletion(tenant.id, null)
  site.work()
  await gone
  expect((await site.provisioner.signUp(of('shop', 'b'), null)).outcome).toBe('created')
})

test('a spare is not given beyond the share of a project', async () => {
  await using site = await openProvisioningSite({ spares: 1, maxBerths: 10, maxBerthsPerProject: 1 })
  const spare = site.log.next('berth.ready')
  site.work()
  await spare
  await site.provisioner.signUp(of('shop', 'a'), null)

  expect(await codeOf(site.provisioner.signUp(of('shop', 'b'), null))).toBe('berth_cap_reached')
})

test('the operator is told once at 80 % of the berths and once when none is left', async () => {
  await using site = await openProvisioningSite({ maxBerths: 5 })
  const near = site.log.next('room.near_cap')
  const full = site.log.next('room.at_cap')
  for (const uid of ['a', 'b', 'c']) await site.provisioner.signUp(externalId(uid), null)
  const early = await site.provisioner.room()
  await site.provisioner.signUp(externalId('d'), null)

  expect(early).toBe('free')
  expect(await near).toMatchObject({ level: 'warn', detail: { berths: 4, maxBerths: 5 } })
  await site.provisioner.signUp(externalId('e'), null)
  expect(await full).toMatchObject({ level: 'error', detail: { berths: 5, maxBerths: 5 } })
  expect(await site.provisioner.room()).toBe('at_cap')
})

test.each([
  ['BERTH_MAX_BERTHS', { maxBerths: 1 }, 'berth_cap_reached'],
  ['BERTH_MAX_BERTHS_PER_PROJECT', { maxBerths: 9, maxBerthsPerProject: 1 }, 'berth_cap_reached'],
  ['BERTH_SIGN_UPS_PER_MINUTE', { maxBerths: 9, signUpsPerMinute: 1 }, 'rate_limited'],
])('a sign-up that %s refuses is told with that setting and without a name', async (limit, options, reason) => {
  await using site = await openProvisioningSite({ ...options, clock: { ...clock, monotonicMs: () => 0 } })
  await site.provisioner.signUp(externalId('a'), null)
  const refused = site.log.next('tenant.sign_up_refused')
  await codeOf(site.provisioner.signUp(externalId('name-of-ada'), null))

  expect(await refused).toMatchObject({ level: 'warn', detail: { reason, limit } })
  expect(JSON.stringify(await refused)).not.toContain('name-of-ada')
})

test('a sign-up for which no cell has room is told with the cells', async () => {
  const picks = ['home', null]
  await using site = await openProvisioningSite({ maxBerths: 9, pickCell: async () => picks.shift() ?? null })
  await site.provisioner.signUp(externalId('a'), null)
  const refused = site.log.next('tenant.sign_up_refused')
  await codeOf(site.provisioner.signUp(externalId('b'), null))

  expect(await refused).toMatchObject({ detail: { reason: 'berth_cap_reached', limit: 'BERTH_CELLS' } })
})
