import { afterAll, beforeAll, expect, test } from 'vitest'
import { refusal } from '../../../scripts/identity-toolkit.ts'
import {
  createHurriedClock,
  type Interceptor,
  people,
  person,
  type ReconcileSite,
  startReconcileSite,
} from './reconcile-site.ts'

const CAP = 8
let site: ReconcileSite
beforeAll(async () => {
  site = await startReconcileSite({ BERTH_MAX_BERTHS_PER_PROJECT: String(CAP) }, { pageSize: 3 })
})
afterAll(() => site[Symbol.asyncDispose]())

const apply = { apply: true }

test('who is missing is told at first and made with apply; the second time there is nothing to do', async () => {
  const project = site.project([person('a/b'), person('A/b'), person('日本 🙂'), person('plain')])
  project.set([person('a/b')], 't1')
  const tenants = ['t1']

  const dry = await project.reconcile({ tenants })
  expect(dry).toMatchObject({ stopped: null, report: { users: 5, missing: 5, created: 0, existing: 0 } })
  expect(await project.uids()).toEqual([])
  expect(await project.reconcile({ ...apply, tenants })).toMatchObject({ report: { missing: 5, created: 5 } })
  expect(await project.uids()).toEqual(['A/b', 'a/b', 'a/b', 'plain', '日本 🙂'])
  expect(await project.reconcile({ ...apply, tenants })).toMatchObject({
    report: { users: 5, existing: 5, missing: 0, created: 0, gone: 0 },
  })
})

test('the same uid in the project and in its tenant are two users', async () => {
  const project = site.project([])
  project.set([person('twin')], 't1')
  await project.signUp('twin')

  expect(await project.reconcile({ ...apply, tenants: ['t1'] })).toMatchObject({ report: { existing: 0, created: 1 } })
})

test('who was deleted in Berth stays deleted; control: who was not is made in the same run', async () => {
  const project = site.project([person('leaver'), person('newcomer')])
  await project.signUp('leaver')
  await project.remove('leaver')

  expect(await project.reconcile(apply)).toMatchObject({
    stopped: null,
    report: { tombstones: 1, missing: 1, created: 1 },
  })
  expect(await project.uids()).toEqual(['newcomer'])
})

test('who is deleted in Berth between the look-up and the making stays deleted', async () => {
  const project = site.project([person('leaver'), person('newcomer')])
  const overtaken: Interceptor = async ({ path, body }, pass) => {
    if (path === '/v1/tenants' && body.includes('"uid":"leaver"')) {
      await project.signUp('leaver')
      await project.remove('leaver')
    }
    return pass()
  }

  const { report, stopped } = await project.reconcile({ ...apply, intercept: overtaken })

  expect([report.tombstones, report.missing, report.created, stopped]).toEqual([1, 1, 1, null])
  expect(await project.uids()).toEqual(['newcomer'])
})

test('anonymous users are left out as in the hook, and brought in when that is asked for', async () => {
  const project = site.project([
    { localId: 'anonymous' },
    { localId: 'phone', phoneNumber: '+4912345' },
    { localId: 'google', providerUserInfo: [{ providerId: 'google.com', rawId: '1' }] },
  ])

  expect(await project.reconcile(apply)).toMatchObject({ report: { users: 3, created: 2, leftOut: { anonymous: 1 } } })
  expect(await project.uids()).toEqual(['google', 'phone'])
  expect(await project.reconcile({ ...apply, anonymous: true })).toMatchObject({ report: { created: 1, existing: 2 } })
})

test('who may not sign in gets no berth, and keeps one', async () => {
  const project = site.project([
    { ...person('barred'), disabled: true },
    { ...person('barred-later'), disabled: true },
  ])
  await project.signUp('barred-later')

  expect(await project.reconcile({ ...apply, deleteGone: true })).toMatchObject({
    report: { existing: 1, created: 0, gone: 0, leftOut: { disabled: 1 } },
  })
})

test('a uid that no tenant can have is told and holds nobody else up', async () => {
  const project = site.project([person('nul\0'), person('fine')])

  expect(await project.reconcile(apply)).toMatchObject({
    stopped: null,
    report: {
      created: 1,
      leftOut: { unfit: 1 },
      told: [
        { kind: 'unfit', uid: 'nul\0' },
        { kind: 'missing', uid: 'fine' },
      ],
    },
  })
})

test('pages of Firebase are read one after the other, to the last', async () => {
  const project = site.project(people(7))

  expect(await project.reconcile()).toMatchObject({ report: { users: 7, missing: 7 } })
  expect(project.calls()).toEqual(['batchGet', 'batchGet', 'batchGet'])
})

test('at the cap it stops with what was done; once there is room it goes on from there', async () => {
  const project = site.project(people(CAP + 4))

  const first = await project.reconcile(apply)
  expect(first).toMatchObject({ stopped: { error: { code: 'berth_cap_reached' } }, report: { created: CAP } })
  expect(await project.uids()).toHaveLength(CAP)

  await project.remove('user-00000')
  await expect.poll(async () => (await project.reconcile(apply)).report.created).toBe(1)
  expect(await project.reconcile(apply)).toMatchObject({ report: { existing: CAP, tombstones: 1 } })
})

test('a tenant that Identity Platform does not know ends it after the users of the project', async () => {
  const project = site.project([person('one')])

  expect(await project.reconcile({ ...apply, tenants: ['no-such'] })).toMatchObject({
    stopped: { error: { code: 'config_invalid', message: expect.stringContaining('auth/tenant-not-found') } },
    report: { created: 1 },
  })
})

test('a quota of Firebase that is used up is waited out, longer each time, and not for ever', async () => {
  const project = site.project([person('one')])
  const clock = createHurriedClock()
  let left = 3
  project.interrupt(() => (left-- > 0 ? refusal(429, 'QUOTA_EXCEEDED', 'RESOURCE_EXHAUSTED') : undefined))

  expect(await project.reconcile({ ...apply, clock })).toMatchObject({ stopped: null, report: { created: 1 } })
  expect(clock.slept.slice(0, 3)).toEqual([1000, 2000, 4000])

  left = 100
  expect(await project.reconcile({ clock })).toMatchObject({ stopped: { error: { code: 'identity_unavailable' } } })
  expect(100 - left).toBe(6)
})

test('what Google refuses for good is asked for once', async () => {
  const project = site.project([person('one')])
  project.interrupt(() => refusal(403, 'INSUFFICIENT_PERMISSION', 'PERMISSION_DENIED'))

  expect(await project.reconcile(apply)).toMatchObject({ stopped: { error: { code: 'config_invalid' } } })
  expect(project.calls()).toEqual(['batchGet'])
})
