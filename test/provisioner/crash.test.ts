import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { collect, quiet } from '../contract/content.ts'
import { externalId, ids, openProvisioningSite, type ProvisioningSite } from '../support/provisioning-site.ts'

const signal = quiet()
const SPARES = 1

interface Round {
  readonly step: string
  readonly nth: number
  readonly index: number
}

interface Acknowledged {
  readonly signedUp: readonly string[]
  readonly deleted: ReadonlySet<string>
}

const runUntilKilled = (dataDir: string, { step, nth, index }: Round): Promise<Acknowledged> =>
  new Promise((resolve, reject) => {
    const script = join(import.meta.dirname, 'doomed-server.ts')
    execFile(process.execPath, [script, dataDir, step, `${nth}`, `${index}`], (error, stdout, stderr) => {
      if (error?.signal !== 'SIGKILL') return reject(new Error(`expected a death by SIGKILL: ${stderr}`))
      const lines = stdout.trim().split('\n')
      const named = (word: string) =>
        lines.flatMap((line) => (line.startsWith(`${word} `) ? [line.slice(word.length + 1)] : []))
      resolve({ signedUp: named('signed-up'), deleted: new Set(named('deleted')) })
    })
  })

/** Works until nothing is left to do. */
const recover = async (site: ProvisioningSite): Promise<void> => {
  const stop = site.work()
  await expect
    .poll(async () => ({ ...(await site.store.berths.countByState()) }), { timeout: 20_000 })
    .toMatchObject({ provisioning: 0, deprovisioning: 0, spare: SPARES })
  await expect
    .poll(async () => (await site.store.tenants.list({ cursor: null, limit: 1, state: 'deprovisioning' })).entries)
    .toEqual([])
  await stop()
}

const berthRows = async (site: ProvisioningSite) => {
  const { entries } = await site.store.berths.list({ cursor: null, limit: 10_000, states: null })
  return entries
}

/** What must hold after every crash; each sentence is a violation. */
const violationsOf = async (
  site: ProvisioningSite,
  { signedUp, deleted }: Acknowledged,
): Promise<readonly string[]> => {
  const violations: string[] = []
  const rows = await berthRows(site)
  const living = rows.filter(({ state }) => state !== 'deleted')
  for (const uid of signedUp) {
    const found = await site.store.tenants.findByExternalId(externalId(uid))
    if (found === null) violations.push(`the sign-up of ${uid} was lost`)
    else if (deleted.has(uid) && (found.state !== 'deleted' || found.receipt === null))
      violations.push(`${uid} was deleted and is ${found.state}`)
    else if (found.state === 'active') {
      const own = living.filter(({ tenantId }) => tenantId === found.id)
      if (own.length !== 1 || own[0]?.state !== 'ready') violations.push(`${uid} has ${own.length} berths`)
    }
  }
  const resources = await collect(site.folders.list({ signal }))
  const owned = new Set(living.map(({ id }) => id))
  for (const { berthId, partial } of resources)
    if (!owned.has(berthId)) violations.push(`nobody owns the resources of ${berthId}`)
    else if (partial) violations.push(`the resources of ${berthId} are incomplete`)
  if (resources.length < living.length) violations.push('a berth has no resources')
  return violations
}

const steps = ['signedUp', 'create', 'created', 'selfTest', 'ensured', 'deletionRequested', 'destroy', 'destroyed']
const rounds = steps.flatMap((step) => [1, 2, 4].map((nth) => ({ step, nth })))

describe('a server killed by SIGKILL', () => {
  let dataDir = ''
  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'berth-crash-'))
  })
  afterAll(() => rm(dataDir, { recursive: true }))

  test.each(rounds.map((round, index) => ({ ...round, index })))(
    'at $step, time $nth, leaves exactly one berth per tenant and no resource without an owner',
    async (round) => {
      const acknowledged = await runUntilKilled(dataDir, round)

      await using site = await openProvisioningSite({ dataDir, spares: SPARES, leaseMs: 300 })
      await recover(site)

      expect(await violationsOf(site, acknowledged)).toEqual([])
    },
  )
})

describe('the check itself', () => {
  test('it sees resources that nobody owns', async () => {
    await using site = await openProvisioningSite({ spares: SPARES })
    await recover(site)
    await site.folders.create(ids.berthId(), { signal })

    expect(await violationsOf(site, { signedUp: [], deleted: new Set() })).toHaveLength(1)
  })

  test('it sees a lost sign-up, a lost berth and a deletion that was not done', async () => {
    await using site = await openProvisioningSite({ spares: SPARES })
    await site.provisioner.signUp(externalId('ada'), null)
    await recover(site)
    const { berth } = await site.provisioner.ensureBerth(externalId('ada'), { signal })
    await site.folders.destroy(berth.id, { signal })

    const seen = await violationsOf(site, { signedUp: ['ada', 'bea'], deleted: new Set(['ada']) })

    expect(seen).toEqual(['ada was deleted and is active', 'the sign-up of bea was lost', 'a berth has no resources'])
  })
})
