import { afterAll, beforeAll, expect, test } from 'vitest'
import { refusal } from '../../../scripts/identity-toolkit.ts'
import { people, person, type ReconcileSite, startReconcileSite } from './reconcile-site.ts'

let site: ReconcileSite
beforeAll(async () => {
  site = await startReconcileSite({}, { pageSize: 2 })
})
afterAll(() => site[Symbol.asyncDispose]())

const everything = { apply: true, deleteGone: true }

/** Berth knows two users, of whom one has left Firebase. */
const withLeaver = async () => {
  const project = site.project([person('kept'), person('other'), person('third')])
  await project.signUp('kept')
  await project.signUp('leaver')
  return project
}

test('a tenant whose user is gone stays until it is asked for, and then never comes back', async () => {
  const project = await withLeaver()

  expect(await project.reconcile({ deleteGone: true })).toMatchObject({ report: { gone: 1, deleted: 0 } })
  expect(await project.reconcile({ apply: true })).toMatchObject({ report: { gone: 1, deleted: 0 } })
  expect(await project.uids()).toEqual(['kept', 'leaver', 'other', 'third'])
  expect(await project.reconcile(everything)).toMatchObject({
    stopped: null,
    report: { gone: 1, deleted: 1, told: [{ kind: 'gone', uid: 'leaver' }] },
  })
  project.set([person('kept'), person('leaver')])
  expect(await project.reconcile({ apply: true })).toMatchObject({ report: { tombstones: 1, created: 0 } })
})

test('a listing that breaks off deletes nobody; control: the same one does once it is whole', async () => {
  const project = await withLeaver()
  let pages = 0
  project.interrupt(({ name }) =>
    name === 'batchGet' && (pages += 1) === 2
      ? refusal(403, 'INSUFFICIENT_PERMISSION', 'PERMISSION_DENIED')
      : undefined,
  )

  expect(await project.reconcile(everything)).toMatchObject({
    stopped: { error: { code: 'config_invalid' } },
    report: { users: 2, gone: 0, deleted: 0 },
  })
  expect(await project.uids()).toContain('leaver')
  expect(await project.reconcile(everything)).toMatchObject({ report: { deleted: 1 } })
})

test('the last page is no different: when it breaks off, nobody is looked at as gone', async () => {
  const project = await withLeaver()
  project.set(people(4))
  let pages = 0
  project.interrupt(({ name }) =>
    name === 'batchGet' && (pages += 1) === 2 ? refusal(400, 'INVALID_PAGE_SELECTION', 'INVALID_ARGUMENT') : undefined,
  )

  await project.reconcile(everything)

  expect(project.calls()).toEqual(['batchGet', 'batchGet'])
  expect(await project.uids()).toContain('leaver')
})

test.each([
  ['is empty', [] as const],
  ["has other people's users only", people(3, 'stranger')],
])('nobody is deleted where the project %s', async (_name, accounts) => {
  const project = await withLeaver()
  project.set(accounts)

  const { report, stopped } = await project.reconcile(everything)

  expect(stopped).toMatchObject({ error: { code: 'conflict' } })
  expect([report.gone, report.deleted]).toEqual([2, 0])
  expect(await project.uids()).toEqual(expect.arrayContaining(['kept', 'leaver']))
})

test('nobody is deleted where there is no such project, nor with credentials that Google does not take', async () => {
  const unknown = site.project(null)
  const refused = await withLeaver()
  refused.interrupt(() => refusal(401, 'UNAUTHENTICATED', 'UNAUTHENTICATED'))
  await unknown.signUp('leaver')

  for (const project of [unknown, refused]) {
    const { report, stopped } = await project.reconcile(everything)
    expect(stopped).not.toBeNull()
    expect(report).toMatchObject({ users: 0, gone: 0 })
    expect(await project.uids()).toContain('leaver')
  }
})

test('nobody is deleted by look-ups that find nobody, not even whom the listing told', async () => {
  const project = await withLeaver()
  project.interrupt(({ name }) =>
    name === 'lookup' ? [200, { kind: 'identitytoolkit#GetAccountInfoResponse' }] : undefined,
  )

  expect(await project.reconcile(everything)).toMatchObject({
    stopped: { error: { code: 'conflict' } },
    report: { deleted: 0 },
  })
  expect(await project.uids()).toEqual(expect.arrayContaining(['kept', 'leaver']))
})

test('who signs up after the listing has a tenant and keeps it; control: who has only a tenant loses it', async () => {
  const project = await withLeaver()
  let pages = 0
  project.interrupt(async ({ name }) => {
    if (name !== 'batchGet' || (pages += 1) < 2) return undefined
    // They come while the last page, which was made before, is on its way.
    project.set([person('kept'), person('other'), person('third'), person('late')])
    await project.signUp('late')
    await project.signUp('never-in-firebase')
    return [200, { kind: 'identitytoolkit#DownloadAccountResponse', users: [person('third')] }]
  })

  const { report } = await project.reconcile(everything)

  expect([pages, report.users]).toEqual([2, 3])
  expect(report.told.filter(({ kind }) => kind === 'gone').map(({ uid }) => uid)).toEqual([
    'leaver',
    'never-in-firebase',
  ])
  expect(await project.uids()).toEqual(['kept', 'late', 'other', 'third'])
})

test('more users than one look-up takes are asked for in hundreds', async () => {
  const project = site.project([person('kept')])
  for (const { localId } of [person('kept'), ...people(120)]) await project.signUp(localId)

  const { report } = await project.reconcile()

  expect(report.gone).toBe(120)
  expect(project.calls().filter((name) => name === 'lookup')).toHaveLength(2)
})

test('tenants of other projects and of identity tenants that were not asked for are none of its business', async () => {
  const project = await withLeaver()
  await project.signUp('of-blue', 'blue')
  project.set([person('in-blue')], 'blue')
  await site.project([]).signUp('stranger')

  expect(await project.reconcile({ tenants: [] })).toMatchObject({ report: { gone: 1 } })
  expect(await project.reconcile({ tenants: ['blue'] })).toMatchObject({ report: { gone: 2 } })
})

test('one identity tenant with nobody known keeps its own and does not spare the others', async () => {
  const project = await withLeaver()
  await project.signUp('of-blue', 'blue')
  project.set([], 'blue')

  const { report, stopped } = await project.reconcile({ ...everything, tenants: ['blue'] })

  expect(stopped).toMatchObject({ error: { code: 'conflict' } })
  expect(report.deleted).toBe(1)
  expect(await project.uids()).toContain('of-blue')
})
