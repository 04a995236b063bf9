import { describe, expect, test } from 'vitest'
import type { BerthId } from '../../src/domain/ids.ts'
import type { Berths, Standing } from '../../src/domain/ports/berths.ts'
import { codeOf, quiet } from '../contract/content.ts'
import { externalId, openProvisioningSite } from '../support/provisioning-site.ts'

const signal = quiet()

/** Folders have nothing to suspend; this adds what a function and a role would remember. `fails` names what goes wrong next. */
const createStandings = () => {
  const standings = new Map<BerthId, Standing>()
  const faults = { suspend: 0, resume: 0 }
  const change = (verb: 'suspend' | 'resume', to: Standing) => async (berthId: BerthId) => {
    if (faults[verb] > 0) {
      faults[verb] -= 1
      standings.set(berthId, 'half_suspended')
      throw new Error('AWS did not do it')
    }
    standings.set(berthId, to)
  }
  const over = (berths: Berths): Berths => ({
    ...berths,
    suspend: change('suspend', 'suspended'),
    resume: change('resume', 'running'),
    standing: async (berthId) => standings.get(berthId) ?? 'running',
  })
  return { standings, faults, over }
}

const openSite = async () => {
  const { standings, faults, over } = createStandings()
  const site = await openProvisioningSite({ over })
  site.work()
  const { tenant, berth } = await site.provisioner.ensureBerth(externalId('ada'), { signal })
  return { site, standings, faults, tenant, berth }
}

describe('suspending a tenant', () => {
  test('refuses its runs and stops its berth; resuming gives both back', async () => {
    const { site, standings, tenant, berth } = await openSite()
    await using _ = site

    await site.provisioner.suspend(tenant.id)
    expect(await codeOf(site.provisioner.ensureBerth(tenant.id, { signal }))).toBe('tenant_suspended')
    expect(standings.get(berth.id)).toBe('suspended')

    await site.provisioner.resume(tenant.id)
    expect((await site.provisioner.ensureBerth(tenant.id, { signal })).berth.id).toBe(berth.id)
    expect(standings.get(berth.id)).toBe('running')
  })

  test('that fails half-way says so, refuses runs all the same, and can be repeated', async () => {
    const { site, standings, faults, tenant, berth } = await openSite()
    await using _ = site
    faults.suspend = 1

    await expect(site.provisioner.suspend(tenant.id)).rejects.toThrow('AWS did not do it')
    expect(await codeOf(site.provisioner.ensureBerth(tenant.id, { signal }))).toBe('tenant_suspended')
    await site.provisioner.suspend(tenant.id)

    expect(standings.get(berth.id)).toBe('suspended')
  })

  test('is ended by reconcile when it failed half-way', async () => {
    const { site, standings, faults, tenant, berth } = await openSite()
    await using _ = site
    faults.suspend = 1
    await codeOf(site.provisioner.suspend(tenant.id))

    const dry = await site.provisioner.reconcile({ apply: false, signal })
    const { findings } = await site.provisioner.reconcile({ apply: true, signal })

    const gap = { kind: 'not_suspended', berthId: berth.id, tenantId: tenant.id, action: 'suspend' }
    expect(dry.findings).toMatchObject([{ ...gap, done: false }])
    expect(findings).toMatchObject([{ ...gap, done: true }])
    expect(standings.get(berth.id)).toBe('suspended')
    expect((await site.provisioner.reconcile({ apply: false, signal })).findings).toEqual([])
  })

  test('of a tenant whose berth is still being made stops the berth when it is made', async () => {
    const { standings, over } = createStandings()
    await using site = await openProvisioningSite({ over })
    const { tenant, berth } = await site.provisioner.signUp(externalId('ada'), null)
    await site.provisioner.suspend(tenant.id)
    const ready = site.log.next('berth.ready')
    site.work()
    await ready

    expect(berth && standings.get(berth.id)).toBe('suspended')
  })
})

describe('resuming a tenant', () => {
  test('that fails leaves it suspended', async () => {
    const { site, faults, tenant } = await openSite()
    await using _ = site
    await site.provisioner.suspend(tenant.id)
    faults.resume = 1

    await expect(site.provisioner.resume(tenant.id)).rejects.toThrow('AWS did not do it')

    expect(await codeOf(site.provisioner.ensureBerth(tenant.id, { signal }))).toBe('tenant_suspended')
  })

  test('a berth that was stopped by hand is told and given back', async () => {
    const { site, standings, berth } = await openSite()
    await using _ = site
    standings.set(berth.id, 'suspended')

    const { findings } = await site.provisioner.reconcile({ apply: true, signal })

    expect(findings).toMatchObject([{ kind: 'not_resumed', berthId: berth.id, action: 'resume', done: true }])
    expect(standings.get(berth.id)).toBe('running')
  })
})
