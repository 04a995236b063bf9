import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { BerthId } from '../../src/domain/ids.ts'
import { bodyOf, collect, quiet, textOf } from '../contract/content.ts'
import { runUntilKilled } from '../support/crash-check.ts'
import { ownerOf } from '../support/owner-of.ts'
import { externalId, ids, openProvisioningSite, type ProvisioningSite } from '../support/provisioning-site.ts'

const signal = quiet()
const NAMES = ['ada', 'bea', 'cyd', 'dee'] as const

let dataDir = ''
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'berth-rebuild-'))
})
afterEach(() => rm(dataDir, { recursive: true, maxRetries: 5 }))

const open = (spares = 0) => openProvisioningSite({ dataDir, spares, leaseMs: 300, moveGraceMs: 0 })

const put = (site: ProvisioningSite, berthId: BerthId, text: string) =>
  site.files.put({ berthId, area: 'files' }, 'mine.txt', bodyOf(text), { maxBytes: 100, signal })

const read = async (site: ProvisioningSite, berthId: BerthId) => {
  const found = await site.files.get({ berthId, area: 'files' }, 'mine.txt', { signal })
  return found === null ? null : textOf(found.body)
}

const recorded = (site: ProvisioningSite) =>
  expect
    .poll(() =>
      site.store.owners.lease({
        lease: { owner: 'look', until: new Date(0) },
        limit: 9,
        backends: ['local'],
        now: new Date(),
      }),
    )
    .toEqual([])

/** Tenants whose berths hold a file with their name in it; then the database goes, and only the folders stay. */
const loseStore = async (
  names: readonly string[] = NAMES,
  before: (site: ProvisioningSite) => Promise<unknown> = async () => {},
) => {
  const berths: Record<string, BerthId> = {}
  {
    await using site = await open()
    site.work()
    for (const name of names) {
      const { berth } = await site.provisioner.ensureBerth(externalId(name), { signal })
      await put(site, berth.id, name)
      berths[name] = berth.id
    }
    await before(site)
    await recorded(site)
  }
  for (const name of await readdir(dataDir)) if (name !== 'folders') await rm(join(dataDir, name), { recursive: true })
  return berths
}

const rebuild = (site: ProvisioningSite, apply = true) => site.provisioner.reconcile({ apply, rebuild: true, signal })

/** What each tenant finds under its name. */
const foundBy = async (site: ProvisioningSite, names: readonly string[] = NAMES) => {
  const found: Record<string, string | null> = {}
  for (const name of names)
    found[name] = await read(site, (await site.provisioner.ensureBerth(externalId(name), { signal })).berth.id)
  return found
}
const everyone = Object.fromEntries(NAMES.map((name) => [name, name]))

describe('after the store is lost', () => {
  test('without a rebuild the tenants’ berths are told and never destroyed', async () => {
    await loseStore()
    await using site = await open()

    const { findings } = await site.provisioner.reconcile({ apply: true, signal })

    expect(findings.map(({ kind, done }) => [kind, done])).toEqual(NAMES.map(() => ['lost_row', false]))
    expect(await collect(site.folders.list({ signal }))).toHaveLength(NAMES.length)
  })

  test('a dry rebuild changes nothing; one that is applied gives everybody their own files back', async () => {
    await loseStore()
    await using site = await open()

    const dry = await rebuild(site, false)
    expect(dry.findings.map(({ kind, action, done }) => [kind, action, done])).toEqual(
      NAMES.map(() => ['lost_row', 'adopt', false]),
    )
    expect((await site.store.tenants.list({ cursor: null, limit: 9, state: null })).entries).toEqual([])
    const { findings } = await rebuild(site)
    expect(findings.every(({ done }) => done)).toBe(true)
    expect((await rebuild(site)).findings).toEqual([])

    site.work()
    expect(await foundBy(site)).toEqual(everyone)
    expect((await site.store.tenants.findByExternalId(externalId('ada')))?.externalId).toEqual(externalId('ada'))
    await recorded(site)
    expect((await site.provisioner.reconcile({ apply: false, deep: true, signal })).findings).toEqual([])
  })

  test('records that are mixed up would be seen: exchanged hashes give others’ files, exchanged records nobody’s (control)', async () => {
    const berths = await loseStore(['ada', 'bea'])
    await using site = await open()
    const traces = await Promise.all(
      ['ada', 'bea'].map((name) => site.folders.owners.trace(berths[name] as BerthId, { signal })),
    )
    const [ada, bea] = traces.map((trace) => (trace.kind === 'owned' ? trace.owner : null))
    if (!ada || !bea) throw new Error('expected two records')
    await site.folders.owners.record({ ...ada, externalKey: bea.externalKey }, { signal })
    await site.folders.owners.record({ ...bea, externalKey: ada.externalKey }, { signal })

    await rebuild(site)
    site.work()

    expect(await foundBy(site, ['ada', 'bea'])).toEqual({ ada: 'bea', bea: 'ada' })
  })

  test('a suspended tenant stays suspended, and one whose deletion was promised is deleted', async () => {
    const berths = await loseStore(['ada', 'bea'], async (site) => {
      const { tenant } = await site.provisioner.ensureBerth(externalId('ada'), { signal })
      await site.provisioner.suspend(tenant.id)
    })
    await using site = await open()
    await site.provisioner.requestDeletion(externalId('bea'), null)

    await rebuild(site)
    const deleted = site.log.next('tenant.deleted')
    site.work()
    await deleted

    const ensured = site.provisioner.ensureBerth(externalId('ada'), { signal })
    await expect(ensured).rejects.toMatchObject({ code: 'tenant_suspended' })
    expect((await collect(site.folders.list({ signal }))).map(({ berthId }) => berthId)).toEqual([berths['ada']])
    expect((await site.store.tenants.findByExternalId(externalId('bea')))?.receipt?.berthIds).toEqual([berths['bea']])
  })

  test('who came back before the rebuild has the old berth again, unless files are in both', async () => {
    const berths = await loseStore(['ada', 'bea'])
    await using site = await open()
    const stop = site.work()
    const ada = await site.provisioner.ensureBerth(externalId('ada'), { signal })
    const bea = await site.provisioner.ensureBerth(externalId('bea'), { signal })
    await put(site, bea.berth.id, 'new')
    await stop()

    const { findings } = await rebuild(site)

    const told = Object.fromEntries(findings.map((finding) => [finding.berthId, [finding.kind, finding.done]]))
    expect(told[berths['ada'] ?? '']).toEqual(['lost_row', true])
    expect(told[berths['bea'] ?? '']).toEqual(['disputed', false])
    expect(await site.store.berths.findByTenant(ada.tenant.id)).toMatchObject({ id: berths['ada'], state: 'ready' })
    site.work()
    await expect.poll(() => site.folders.find(ada.berth.id, { signal })).toBeNull()
    expect(await read(site, bea.berth.id)).toBe('new')
    expect(await read(site, berths['bea'] as BerthId)).toBe('bea')
  })

  test('a spare becomes one again after its self-test; files without a record, or with a strange one, wait for an operator', async () => {
    await loseStore([])
    await using site = await open()
    const [spare, files, strange] = [ids.berthId(), ids.berthId(), ids.berthId()]
    for (const berthId of [spare, files, strange]) await site.folders.create(berthId, { signal })
    await put(site, files, 'whose?')
    await site.folders.owners.record(ownerOf(strange, { externalKey: 'none' }), { signal })

    const { findings } = await rebuild(site)
    const ready = site.log.next('berth.ready')
    site.work()
    await ready

    const told = Object.fromEntries(findings.map(({ berthId, kind, action }) => [berthId, [kind, action]]))
    expect(told).toEqual({
      [spare]: ['orphan', 'adopt'],
      [files]: ['unknown_owner', 'operator'],
      [strange]: ['unknown_owner', 'operator'],
    })
    expect(await site.store.berths.find(spare)).toMatchObject({ state: 'ready', tenantId: null, runnerVersion: 1 })
    expect(await site.store.berths.find(files)).toBeNull()
    expect(await read(site, files)).toBe('whose?')
  })

  test.each([
    { step: 'told', nth: 1 },
    { step: 'told', nth: 3 },
    { step: 'adopted', nth: 2 },
  ])('a rebuild killed at $step, time $nth, is ended by the next one', async ({ step, nth }) => {
    await loseStore()
    await runUntilKilled(join(import.meta.dirname, 'doomed-rebuild.ts'), dataDir, { step, nth, index: 0 })

    await using site = await open()
    const known = await collect(site.folders.list({ signal }))
    const rows = await Promise.all(known.map(({ berthId }) => site.store.berths.find(berthId)))
    expect(rows).toContain(null)
    await rebuild(site)
    site.work()

    expect(await foundBy(site)).toEqual(everyone)
    expect(await collect(site.folders.list({ signal }))).toHaveLength(NAMES.length)
  })
})

test('a record that could not be written is written later, and a deep look has a wrong one written again', async () => {
  let isBroken = true
  await using site = await openProvisioningSite({
    dataDir,
    over: (berths) => ({
      ...berths,
      owners: {
        ...berths.owners,
        record: async (owner, options) => {
          if (isBroken) throw new Error('the bucket is away')
          await berths.owners.record(owner, options)
        },
      },
    }),
  })
  const failed = site.log.next('berth.owner_not_recorded')
  const stop = site.work()
  const { berth } = await site.provisioner.ensureBerth(externalId('ada'), { signal })
  await failed
  await stop()
  isBroken = false
  expect((await site.provisioner.reconcile({ apply: false, deep: true, signal })).findings).toMatchObject([
    { kind: 'unrecorded', berthId: berth.id, action: 'record' },
  ])

  // The worker's own pause has no meaning for another server.
  const written = site.log.next('berth.owner_recorded')
  await site.provisioner.reconcile({ apply: true, deep: true, signal })
  site.work()
  await written

  expect((await site.provisioner.reconcile({ apply: false, deep: true, signal })).findings).toEqual([])
})
