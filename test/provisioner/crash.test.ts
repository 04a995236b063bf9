import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { quiet } from '../contract/content.ts'
import { recover, runUntilKilled, SPARES, violationsOf } from '../support/crash-check.ts'
import { externalId, ids, openProvisioningSite } from '../support/provisioning-site.ts'

const signal = quiet()
const script = join(import.meta.dirname, 'doomed-server.ts')

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
      const acknowledged = await runUntilKilled(script, dataDir, round)

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
