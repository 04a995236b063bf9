import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Clock } from '../../src/domain/ports/clock.ts'
import type { Store } from '../../src/domain/ports/store.ts'
import { openPostgresStore } from '../../src/store/open-postgres-store.ts'
import { addSpare, clock, enqueue, finished, ids, newRun, request, signUp, storedRun } from '../contract/store-site.ts'
import { type PostgresServer, startPostgres } from '../support/postgres.ts'

const HOUR_MS = 3_600_000
const LEASE_MS = 30_000

/** A server, as far as its store and its clock go. */
interface Site extends AsyncDisposable {
  readonly store: Store
  readonly now: () => Date
  readonly lease: () => { owner: string; until: Date }
}

const skewed = (offMs: () => number): Clock => ({ ...clock, now: () => new Date(clock.now().getTime() + offMs()) })

/** With `told` the store takes that clock for the server's, and so cannot know that the server's own is wrong. */
const open = async (url: string, own: Clock, told: Clock = own): Promise<Site> => {
  const store = await openPostgresStore({ url, clock: told })
  const owner = ids.secret()
  return {
    store,
    now: own.now,
    lease: () => ({ owner, until: new Date(own.now().getTime() + LEASE_MS) }),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

const leaseRuns = ({ store, lease, now }: Site) => store.runs.lease({ lease: lease(), limit: 10, now: now() })
const leaseBerths = ({ store, lease, now }: Site) => store.berths.lease({ lease: lease(), limit: 10, now: now() })

describe('servers on one Postgres', { tags: ['postgres'] }, () => {
  let postgres: PostgresServer
  beforeAll(async () => {
    postgres = await startPostgres()
  })
  afterAll(() => postgres[Symbol.asyncDispose]())

  test.for([HOUR_MS, -HOUR_MS])('a server whose clock is off by %i ms takes no work that another holds', async (ms) => {
    const url = await postgres.createDatabase()
    await using right = await open(url, clock)
    await using wrong = await open(
      url,
      skewed(() => ms),
    )
    const { tenant } = await signUp(right.store, 'ada')
    await enqueue(right.store, tenant.id)

    for (const [first, second] of [[right, wrong] as const, [wrong, right] as const]) {
      const [run] = await leaseRuns(first)
      const [berth] = await leaseBerths(first)

      expect([await leaseRuns(second), await leaseBerths(second)]).toEqual([[], []])

      // Handed back, it is the other's at once.
      const handed = { ...first.lease(), until: first.now() }
      if (run === undefined || berth === undefined) throw new Error('there was no work to take')
      await first.store.runs.settle(run.run.id, handed, run)
      await first.store.berths.renew([berth.id], handed)
    }
    expect([(await leaseRuns(right)).length, (await leaseBerths(right)).length]).toEqual([1, 1])
  })

  test('control: by the clocks of the servers themselves the one that is ahead takes it', async () => {
    const url = await postgres.createDatabase()
    await using right = await open(url, clock)
    await using ahead = await open(
      url,
      skewed(() => HOUR_MS),
      clock,
    )
    const { tenant } = await signUp(right.store, 'ada')
    const run = await enqueue(right.store, tenant.id)
    await leaseRuns(right)
    await leaseBerths(right)

    expect((await leaseRuns(ahead)).map((taken) => taken.run.id)).toEqual([run.id])
    expect(await leaseBerths(ahead)).toHaveLength(1)
  })

  test('what a server with a wrong clock renews, heartbeats or begins at once stays its own', async () => {
    const url = await postgres.createDatabase()
    await using right = await open(url, clock)
    await using behind = await open(
      url,
      skewed(() => -HOUR_MS),
    )
    const { tenant } = await signUp(right.store, 'ada')
    const now = newRun({ status: 'running' })
    const insertion = { stored: storedRun(tenant.id, now), request, idempotency: null, lease: behind.lease() }
    await behind.store.runs.insert(insertion)
    await enqueue(right.store, tenant.id)
    const [queued] = await leaseRuns(behind)
    const [berth] = await leaseBerths(behind)
    if (queued === undefined || berth === undefined) throw new Error('there was no work to take')

    await behind.store.runs.heartbeat([queued.run.id, now.id], behind.lease())
    await behind.store.berths.renew([berth.id], behind.lease())

    expect([await leaseRuns(right), await leaseBerths(right)]).toEqual([[], []])
    const ended = storedRun(tenant.id, finished(queued.run))
    expect(await behind.store.runs.settle(queued.run.id, behind.lease(), ended)).toBe(true)
  })

  test.for([HOUR_MS, -HOUR_MS])('a retry waits as long as it was told, whoever looks (%i ms)', async (ms) => {
    const url = await postgres.createDatabase()
    await using right = await open(url, clock)
    await using wrong = await open(
      url,
      skewed(() => ms),
    )
    await addSpare(right.store)
    const lease = wrong.lease()
    const [berth] = await wrong.store.berths.lease({ lease, limit: 1, now: wrong.now() })
    if (berth === undefined) throw new Error('there was no work to take')
    const in10Minutes = new Date(wrong.now().getTime() + 600_000)

    await wrong.store.berths.settle(berth.id, lease.owner, { kind: 'retry', error: 'x', nextAttemptAt: in10Minutes })

    expect(await leaseBerths(right)).toEqual([])
    const later = new Date(right.now().getTime() + 660_000)
    expect(await right.store.berths.lease({ lease: right.lease(), limit: 1, now: later })).toHaveLength(1)
  })

  test('a clock that jumps while its server holds a lease changes nothing', async () => {
    const url = await postgres.createDatabase()
    let offMs = 0
    await using jumping = await open(
      url,
      skewed(() => offMs),
    )
    const { tenant } = await signUp(jumping.store, 'ada')
    await enqueue(jumping.store, tenant.id)
    await leaseRuns(jumping)

    offMs = HOUR_MS

    expect(await leaseRuns(jumping)).toEqual([])
  })
})
