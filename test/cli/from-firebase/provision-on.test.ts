import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { person, type ReconcileSite, startReconcileSite } from './reconcile-site.ts'

const accounts = [person('plain'), { ...person('verified'), emailVerified: true }]

describe.each([
  ['sign_up', ['plain', 'verified']],
  ['verified_email', ['verified']],
  ['first_run', []],
])('a server with BERTH_PROVISION_ON=%s', (provisionOn, expected) => {
  let site: ReconcileSite
  beforeAll(async () => {
    site = await startReconcileSite({ BERTH_PROVISION_ON: provisionOn })
  })
  afterAll(() => site[Symbol.asyncDispose]())

  test('gets the tenants that its hook would have made', async () => {
    const project = site.project(accounts)

    const { report } = await project.reconcile({ apply: true })

    expect(await project.uids()).toEqual(expected)
    expect(report).toMatchObject({ created: expected.length, leftOut: { deferred: 2 - expected.length } })
  })

  test('gets all of them where that is asked for, and keeps who is there', async () => {
    const project = site.project(accounts)
    await project.signUp('plain')

    const { report } = await project.reconcile({ apply: true, deferred: true })

    expect(await project.uids()).toEqual(['plain', 'verified'])
    expect(report).toMatchObject({ existing: 1, created: 1, leftOut: { deferred: 0 } })
  })
})
