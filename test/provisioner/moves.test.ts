import { afterEach, beforeEach, expect, test } from 'vitest'
import type { BerthId, TenantId } from '../../src/domain/ids.ts'
import { bodyOf, codeOf, collect, quiet, textOf } from '../contract/content.ts'
import { type MoveStep, type MovingSite, openMovingSite } from '../support/moving-site.ts'

const signal = quiet()
let fault: (step: MoveStep, berthId: BerthId) => Promise<void> | void
let site: MovingSite
beforeEach(async () => {
  fault = () => undefined
  site = await openMovingSite({ fault: (step, berthId) => fault(step, berthId), maxAttempts: 1 })
  site.start()
})
afterEach(() => site[Symbol.asyncDispose]())

const move = (tenantId: TenantId, to: string, deleteFiles = false) =>
  site.provisioner.move(tenantId, { to, deleteFiles, signal })
const moveAndWait = async (tenantId: TenantId, to: string, deleteFiles = false) => {
  const ended = site.log.next('berth.destroyed')
  const berth = await move(tenantId, to, deleteFiles)
  await ended
  return berth
}
const putFile = (berthId: BerthId, name = 'a.csv') =>
  site.backend.files.put({ berthId, area: 'files' }, name, bodyOf('kept'), { maxBytes: 9, signal })
const resources = async () => (await collect(site.backend.berths.list({ signal }))).map(({ berthId }) => berthId)

test('a tenant is moved to the shared function and back, and nothing of its earlier berths is left', async () => {
  const { tenantId } = await site.settled('ada')

  const shared = await moveAndWait(tenantId, 'lambda-shared')
  expect(await site.own(tenantId)).toEqual({ id: shared.id, state: 'ready', backend: 'lambda-shared' })
  const back = await moveAndWait(tenantId, 'lambda')

  expect(await site.own(tenantId)).toEqual({ id: back.id, state: 'ready', backend: 'lambda' })
  expect(await resources()).toEqual([back.id])
  expect((await site.provisioner.reconcile({ apply: false, signal })).findings).toEqual([])
})

test('until the new berth has passed its self-test, the tenant runs in the old one; then at once in the new one', async () => {
  const { tenantId, berthId } = await site.settled('ada')
  const tested = Promise.withResolvers<void>()
  const mayPass = Promise.withResolvers<void>()
  fault = async (step) => {
    if (step !== 'selfTested') return
    tested.resolve()
    await mayPass.promise
  }

  const moved = site.log.next('tenant.moved')
  const { id } = await move(tenantId, 'lambda-shared')
  await tested.promise

  expect((await site.provisioner.ensureBerth(tenantId, { signal })).berth.id).toBe(berthId)
  mayPass.resolve()
  await moved
  expect((await site.provisioner.ensureBerth(tenantId, { signal })).berth.id).toBe(id)
})

test('a move that fails leaves the tenant where it was, with nothing of the new berth', async () => {
  const { tenantId, berthId } = await site.settled('ada')
  fault = (step) => {
    if (step === 'selfTest') throw new Error('no egress expected, some found')
  }
  const gone = site.log.next('berth.destroyed')

  const { id } = await move(tenantId, 'lambda-shared')
  await gone

  expect(await site.own(tenantId)).toMatchObject({ id: berthId, state: 'ready' })
  expect(await resources()).toEqual([berthId])
  expect((await site.store.berths.find(id))?.state).toBe('deleted')
})

test('a tenant with files is moved only when they may be deleted', async () => {
  const { tenantId, berthId } = await site.settled('ada')
  await putFile(berthId)

  await expect(move(tenantId, 'lambda-shared')).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('--delete-files'),
  })
  expect(await site.store.tenants.findMove(tenantId)).toBeNull()
  await moveAndWait(tenantId, 'lambda-shared', true)

  expect(await resources()).not.toContain(berthId)
})

test('a file that comes while the tenant is moved is not lost: it keeps the old berth', async () => {
  const { tenantId, berthId } = await site.settled('ada')
  fault = async (step) => {
    if (step === 'selfTest') await putFile(berthId, 'late.csv')
  }
  const kept = site.log.next('berth.retry')

  await move(tenantId, 'lambda-shared')
  await kept

  const found = await site.backend.files.get({ berthId, area: 'files' }, 'late.csv', { signal })
  expect(found && (await textOf(found.body))).toBe('kept')
  expect((await site.store.tenants.findMove(tenantId))?.lastError).toContain('the tenant has files')
  // The deletion of the tenant takes it.
  const deleted = site.log.next('tenant.deleted')
  await site.provisioner.requestDeletion({ project: 'shop', identityTenant: '', uid: 'ada' }, null)
  await deleted
  expect(await resources()).toEqual([])
})

test('what is not served, not there or already so is refused with its reason', async () => {
  const { tenantId } = await site.settled('ada')

  expect(await codeOf(move(tenantId, 'local'))).toBe('invalid_request')
  expect(await codeOf(move(tenantId, 'lambda'))).toBe('conflict')
  expect(await codeOf(move('taaaaaaaaaaaaaaa' as TenantId, 'lambda'))).toBe('not_found')
})
