import { expect, test } from 'vitest'
import type { BerthId } from '../../src/domain/ids.ts'
import { codeOf, quiet } from '../contract/content.ts'
import { clock, externalId, openProvisioningSite } from '../support/provisioning-site.ts'

const signal = quiet()

const failsTimes = (times: number, step: string) => {
  let left = times
  return (at: string) => {
    if (at !== step || left === 0) return
    left -= 1
    throw new Error(`${step} fails`)
  }
}

test('a berth whose making fails twice is ready after the third try', async () => {
  await using site = await openProvisioningSite({ fault: failsTimes(2, 'create') })
  site.work()

  const { berth } = await site.provisioner.ensureBerth(externalId('ada'), { signal })

  expect(berth.state).toBe('ready')
  expect(site.log.codes().filter((code) => code === 'berth.retry')).toHaveLength(2)
})

test('a berth that never passes its self-test is failed with the reason', async () => {
  await using site = await openProvisioningSite({ maxAttempts: 2, fault: failsTimes(100, 'selfTest') })
  site.work()

  const failed = site.log.next('berth.failed')
  const { tenant } = await site.provisioner.signUp(externalId('ada'), null)
  await failed

  expect(await codeOf(site.provisioner.ensureBerth(tenant.id, { signal }))).toBe('provisioning_failed')
  expect(await site.store.berths.findByTenant(tenant.id)).toMatchObject({ lastError: 'selfTest fails' })
})

test('a failed berth is made after reconcile', async () => {
  await using site = await openProvisioningSite({ maxAttempts: 1, fault: failsTimes(1, 'create') })
  site.work()
  const failed = site.log.next('berth.failed')
  await site.provisioner.signUp(externalId('ada'), null)
  await failed

  await site.provisioner.reconcile({ apply: true, signal })

  expect((await site.provisioner.ensureBerth(externalId('ada'), { signal })).berth.state).toBe('ready')
})

test('a backend that hangs is given up after the time of one attempt', async () => {
  const hung = new Set<BerthId>()
  const hangOnce = async (step: string, berthId: BerthId) => {
    if (step !== 'create' || hung.has(berthId)) return
    hung.add(berthId)
    await new Promise<void>(() => undefined)
  }
  await using site = await openProvisioningSite({ attemptTimeoutMs: 1000, fault: hangOnce })
  site.work()

  const { berth } = await site.provisioner.ensureBerth(externalId('ada'), { signal })

  expect(hung.has(berth.id)).toBe(true)
})

test('a deletion is tried until it succeeds, however often it fails', async () => {
  await using site = await openProvisioningSite({ maxAttempts: 1, fault: failsTimes(3, 'destroy') })
  site.work()
  await site.provisioner.ensureBerth(externalId('ada'), { signal })

  const deleted = site.log.next('tenant.deleted')
  await site.provisioner.requestDeletion(externalId('ada'), null)

  expect((await deleted).tenantId).toBeDefined()
})

test('a worker that stops in the middle hands its lease back, and the next takes over at once', async () => {
  const arrived = Promise.withResolvers<void>()
  let hang = true
  const fault = async (step: string) => {
    if (step !== 'create' || !hang) return
    arrived.resolve()
    await new Promise<void>(() => undefined)
  }
  await using site = await openProvisioningSite({ leaseMs: 3_600_000, pollMs: 3_600_000, fault })
  const stop = site.work()
  const { tenant } = await site.provisioner.signUp(externalId('ada'), null)
  await arrived.promise

  await stop()
  hang = false
  site.work()

  expect((await site.provisioner.ensureBerth(tenant.id, { signal })).berth.state).toBe('ready')
})

test('a clock that jumps ahead makes no server do its own work twice', async () => {
  let offMs = 0
  const jumping = { ...clock, now: () => new Date(clock.now().getTime() + offMs) }
  const arrived = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  let made = 0
  const fault = async (step: string) => {
    if (step !== 'create') return
    made += 1
    arrived.resolve()
    if (made === 1) await goOn.promise
  }
  await using site = await openProvisioningSite({ clock: jumping, fault })
  site.work()
  await site.provisioner.signUp(externalId('ada'), null)
  await arrived.promise

  offMs = 3_600_000
  await site.provisioner.ensureBerth(externalId('bob'), { signal })
  goOn.resolve()
  await site.provisioner.ensureBerth(externalId('ada'), { signal })

  expect(made).toBe(2)
})
