import { expect, test } from 'vitest'
import { collect, quiet } from '../contract/content.ts'
import { externalId, ids, openProvisioningSite } from '../support/provisioning-site.ts'

const signal = quiet()

const readySite = async () => {
  const site = await openProvisioningSite()
  const stop = site.work()
  const { berth } = await site.provisioner.ensureBerth(externalId('ada'), { signal })
  await stop()
  return { site, berth }
}

test('where rows and resources agree there is nothing to report', async () => {
  const { site } = await readySite()
  await using _ = site

  const report = await site.provisioner.reconcile({ apply: true, signal })

  expect(report).toEqual({ applied: true, resources: 1, rows: 1, tenants: 1, findings: [] })
})

test('a dry run names an orphan and leaves it', async () => {
  const { site } = await readySite()
  await using _ = site
  const orphan = ids.berthId()
  await site.folders.create(orphan, { signal })

  const { findings } = await site.provisioner.reconcile({ apply: false, signal })

  expect(findings).toMatchObject([{ kind: 'orphan', berthId: orphan, action: 'destroy', done: false }])
  expect(await site.folders.find(orphan, { signal })).not.toBeNull()
})

test('an orphan is destroyed and what is owned stays', async () => {
  const { site, berth } = await readySite()
  await using _ = site
  await site.folders.create(ids.berthId(), { signal })

  const { findings } = await site.provisioner.reconcile({ apply: true, signal })

  expect(findings).toMatchObject([{ kind: 'orphan', done: true }])
  expect((await collect(site.folders.list({ signal }))).map(({ berthId }) => berthId)).toEqual([berth.id])
})

test('a ready berth without resources is made anew', async () => {
  const { site, berth } = await readySite()
  await using _ = site
  await site.folders.destroy(berth.id, { signal })

  const { findings } = await site.provisioner.reconcile({ apply: true, signal })
  const ready = site.log.next('berth.ready')
  site.work()
  await ready

  expect(findings).toMatchObject([{ kind: 'missing', berthId: berth.id, action: 'provision', done: true }])
  expect(await site.folders.find(berth.id, { signal })).toEqual({ berthId: berth.id, partial: false })
})

test('a deletion that has not ended is told and left to the worker', async () => {
  const { site, berth } = await readySite()
  await using _ = site
  await site.provisioner.requestDeletion(externalId('ada'), null)

  const { findings } = await site.provisioner.reconcile({ apply: true, signal })

  expect(findings).toMatchObject([{ kind: 'half_deleted', berthId: berth.id, action: 'wait' }])
})

test('each finding is told as it is found', async () => {
  const { site } = await readySite()
  await using _ = site
  await site.folders.create(ids.berthId(), { signal })

  const told: string[] = []
  await site.provisioner.reconcile({ apply: false, signal, onFinding: ({ kind }) => void told.push(kind) })

  expect(told).toEqual(['orphan'])
})
