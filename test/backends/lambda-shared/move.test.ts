// @module-tag aws-local
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDispatcher, type Dispatcher } from '../../../src/dispatcher/dispatcher.ts'
import type { TenantId } from '../../../src/domain/ids.ts'
import { openBothKinds } from '../../../src/main/open-both-kinds.ts'
import { createProvisioner, type Provisioner } from '../../../src/provisioner/provisioner.ts'
import { openSqliteStore } from '../../../src/store/open-sqlite-store.ts'
import { bodyOf, collect, quiet } from '../../contract/content.ts'
import { ask, python } from '../../support/dispatch-site.ts'
import { externalId } from '../../support/provisioning-site.ts'
import { makeFolder } from '../local/subject.ts'
import { openSharedSite, type SharedSite } from './shared-site.ts'

const signal = quiet()
const resources = new AsyncDisposableStack()
let site: SharedSite
let backend: ReturnType<typeof openBothKinds>['backend']
let provisioner: Provisioner
let dispatcher: Dispatcher

beforeAll(async () => {
  site = resources.use(await openSharedSite())
  const folder = resources.use(await makeFolder())
  const { clock, ids, events, cell } = site
  const store = resources.use(await openSqliteStore({ dataDir: folder.path, clock }))
  const deps = { store, clock, ids, events }
  backend = openBothKinds('lambda', cell, { ...deps, berths: store.berths }).backend
  const { berths, dispatch, fleet, files } = backend
  const where = { pickCell: async () => cell.name, spares: 0, maxBerths: 10 }
  const pace = { pollMs: 50, readyWaitMs: 60_000, moveGraceMs: 0 }
  provisioner = createProvisioner({ ...deps, berths, fleet, files }, { ...where, ...pace })
  dispatcher = resources.use(createDispatcher({ ...deps, dispatch, fleet, files, berths: provisioner }, {}))
  const stopping = new AbortController()
  const ended = provisioner.start(stopping.signal)
  resources.defer(async () => {
    stopping.abort()
    await ended
  })
})
afterAll(() => resources.disposeAsync())

const run = async (files: readonly string[] = []) => {
  const code = 'import os\nsorted(os.listdir("."))'
  return (await dispatcher.run(ask({ request: python({ code, files: [...files] }) }))).run
}
const move = async (tenantId: TenantId, to: string, deleteFiles = false) => {
  const destroyed = site.events.next('berth.destroyed')
  await provisioner.move(tenantId, { to, deleteFiles, signal })
  await destroyed
}

test('a tenant goes from a function of its own to the shared one and back, and runs code in each', async () => {
  const { tenant, berth } = await provisioner.ensureBerth(externalId('ada'), { signal })
  await backend.files.put({ berthId: berth.id, area: 'files' }, 'a.csv', bodyOf('x'), { maxBytes: 9, signal })
  expect((await run(['a.csv'])).results[0]?.json).toContain('a.csv')

  await expect(provisioner.move(tenant.id, { to: 'lambda-shared', deleteFiles: false, signal })).rejects.toMatchObject({
    code: 'conflict',
  })
  await move(tenant.id, 'lambda-shared', true)

  expect(await run()).toMatchObject({ status: 'succeeded' })
  await expect(run(['a.csv'])).rejects.toMatchObject({ code: 'unsupported' })
  // Stack, role, log group and prefix of the old berth are gone; what is left is a mark.
  expect((await collect(site.berths.list({ signal }))).map(({ partial }) => partial)).toEqual([false])
  expect(await collect(backend.berths.list({ signal }))).toHaveLength(1)

  await move(tenant.id, 'lambda')

  expect(await run()).toMatchObject({ status: 'succeeded' })
  expect((await provisioner.ensureBerth(tenant.id, { signal })).berth.backend).toBe('lambda')
  expect(await collect(site.berths.list({ signal }))).toEqual([])
})
