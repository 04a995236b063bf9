import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Admission, type AdmissionLimits, type Ticket } from '../../src/dispatcher/admission.ts'
import { BerthError, isBerthError } from '../../src/domain/errors.ts'
import type { TenantId } from '../../src/domain/ids.ts'

const tenant = (index: number) => `t${'a'.repeat(14)}${String.fromCodePoint(97 + index)}` as TenantId
const limits: AdmissionLimits = { perSecond: 2, burst: 3, concurrency: 2, waiting: 3, maxConcurrency: 4 }

const createTime = () => {
  const time = { ms: 0 }
  return { time, clock: { monotonicMs: () => time.ms } }
}
const errorOf = (work: () => void): BerthError | null => {
  try {
    work()
    return null
  } catch (error) {
    if (isBerthError(error)) return error
    throw error
  }
}
const isGranted = async ({ granted }: Ticket): Promise<boolean> => {
  let yes = granted === null
  void granted?.then(() => (yes = true))
  // The grant is a promise that is settled already, if at all.
  for (let turn = 0; turn < 3; turn += 1) await Promise.resolve()
  return yes
}

describe('rate', () => {
  test('a burst passes, then one more is told when to come', () => {
    const { clock } = createTime()
    const admission = new Admission(clock, limits)

    const errors = [0, 1, 2, 3].map(() => errorOf(() => admission.charge(tenant(0))))

    expect(errors.map((error) => error?.code ?? null)).toEqual([null, null, null, 'rate_limited'])
    expect(errors[3]?.retryAfterSeconds).toBe(1)
  })

  test('one tenant does not use up the rate of another', () => {
    const { clock } = createTime()
    const admission = new Admission(clock, { ...limits, burst: 1 })
    admission.charge(tenant(0))

    expect(errorOf(() => admission.charge(tenant(1)))).toBeNull()
  })

  test('who waits as long as Retry-After says is let in, whatever came before', () => {
    const rates = { perSecond: fc.double({ min: 0.1, max: 50, noNaN: true }), burst: fc.integer({ min: 1, max: 20 }) }
    const pauses = fc.array(fc.double({ min: 0, max: 500, noNaN: true }), { maxLength: 60 })
    fc.assert(
      fc.property(fc.record(rates), pauses, (rate, waits) => {
        const { time, clock } = createTime()
        const admission = new Admission(clock, { ...limits, ...rate })
        for (const wait of waits) {
          time.ms += wait
          const refused = errorOf(() => admission.charge(tenant(0)))
          if (refused === null) continue
          time.ms += (refused.retryAfterSeconds ?? 0) * 1000
          expect(errorOf(() => admission.charge(tenant(0)))).toBeNull()
        }
      }),
    )
  })

  test('never more pass in any time than the burst and the rate allow', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 100 }), (waits) => {
        const { time, clock } = createTime()
        const admission = new Admission(clock, limits)
        let passed = 0
        for (const wait of waits) {
          time.ms += wait
          if (errorOf(() => admission.charge(tenant(0))) === null) passed += 1
        }
        expect(passed).toBeLessThanOrEqual(limits.burst + (time.ms / 1000) * limits.perSecond + 1e-6)
      }),
    )
  })
})

describe('places', () => {
  test('a full queue is refused with the seconds to wait', () => {
    const admission = new Admission(createTime().clock, limits)
    for (let index = 0; index < 5; index += 1) admission.enter(tenant(0), 'interactive')

    const error = errorOf(() => admission.enter(tenant(0), 'interactive'))

    expect(error).toMatchObject({ code: 'queue_full', retryAfterSeconds: 1 })
  })

  test('whoever leaves the queue makes room in it', () => {
    const admission = new Admission(createTime().clock, limits)
    const tickets = [0, 1, 2, 3, 4].map(() => admission.enter(tenant(0), 'interactive'))

    tickets[3]?.release()

    expect(errorOf(() => admission.enter(tenant(0), 'interactive'))).toBeNull()
  })

  test('whom a caller waits for goes before what waits in the store', async () => {
    const admission = new Admission(createTime().clock, { ...limits, concurrency: 1 })
    const running = admission.enter(tenant(0), 'background')
    const background = admission.enter(tenant(0), 'background')
    const interactive = admission.enter(tenant(0), 'interactive')

    running.release()

    expect([await isGranted(interactive), await isGranted(background)]).toEqual([true, false])
  })

  test('tenants who wait take turns: a long queue of one holds up no other', async () => {
    const admission = new Admission(createTime().clock, { ...limits, maxConcurrency: 1, waiting: 100 })
    const first = admission.enter(tenant(0), 'interactive')
    const queue = Array.from({ length: 50 }, () => admission.enter(tenant(0), 'interactive'))
    const other = admission.enter(tenant(1), 'interactive')

    // The one who has waited longest has the first turn, the other tenant the second.
    first.release()
    queue[0]?.release()

    expect(await isGranted(other)).toBe(true)
  })

  test('who waits is rejected when admission closes, and nobody enters any more', async () => {
    const admission = new Admission(createTime().clock, { ...limits, maxConcurrency: 1 })
    admission.enter(tenant(0), 'interactive')
    const waiting = admission.enter(tenant(0), 'interactive')

    admission.close(new BerthError('shutting_down', 'stopping'))

    await expect(waiting.granted).rejects.toMatchObject({ code: 'shutting_down' })
    expect(errorOf(() => admission.enter(tenant(1), 'interactive'))?.code).toBe('shutting_down')
  })

  test('whatever comes and goes, no cap is exceeded, no place is lost and no tenant starves', async () => {
    const step = fc.record({ tenant: fc.nat(3), leaves: fc.nat(9), kind: fc.constantFrom('interactive', 'background') })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 120 }), async (steps) => {
        const admission = new Admission(createTime().clock, limits)
        const held: { readonly of: number; readonly ticket: Ticket }[] = []
        for (const { tenant: of, leaves, kind } of steps) {
          const refused = errorOf(() => held.push({ of, ticket: admission.enter(tenant(of), kind) }))
          expect(refused?.code ?? 'queue_full').toBe('queue_full')
          if (leaves < 5) held.splice(leaves % held.length, 1)[0]?.ticket.release()
          await assertCaps(admission, held)
        }
        // Everyone still here gets a place if those with a place leave, one after another.
        while (held.length > 0) {
          const granted = await indexOfGranted(held)
          expect(granted).toBeGreaterThanOrEqual(0)
          held.splice(granted, 1)[0]?.ticket.release()
        }
        expect(admission.running).toBe(0)
      }),
    )
  })
})

const indexOfGranted = async (held: readonly { readonly ticket: Ticket }[]): Promise<number> => {
  const granted = await Promise.all(held.map(({ ticket }) => isGranted(ticket)))
  return granted.indexOf(true)
}

const assertCaps = async (
  admission: Admission,
  held: readonly { readonly of: number; readonly ticket: Ticket }[],
): Promise<void> => {
  const granted = await Promise.all(held.map(({ ticket }) => isGranted(ticket)))
  const runningOf = (of: number) => held.filter((one, index) => one.of === of && granted[index] === true).length
  const counts = [0, 1, 2, 3].map(runningOf)
  const total = counts.reduce((sum, count) => sum + count, 0)
  expect(total).toBe(admission.running)
  expect(total).toBeLessThanOrEqual(limits.maxConcurrency)
  for (const count of counts) expect(count).toBeLessThanOrEqual(limits.concurrency)
  // Work-conserving: nobody waits while there is a place for them.
  for (const [of, count] of counts.entries()) {
    const waits = held.some((one, index) => one.of === of && granted[index] === false)
    if (waits) expect(total === limits.maxConcurrency || count === limits.concurrency).toBe(true)
  }
}

test('nothing is remembered of tenants who have been away', () => {
  const { time, clock } = createTime()
  const admission = new Admission(clock, limits)
  for (let index = 0; index < 10_000; index += 1) {
    const id = `t${String(index).padStart(15, 'a')}` as TenantId
    admission.charge(id)
    admission.enter(id, 'interactive').release()
    time.ms += 1
  }

  expect(admission.remembered).toBeLessThanOrEqual((limits.burst / limits.perSecond) * 1000 + 1)
})
