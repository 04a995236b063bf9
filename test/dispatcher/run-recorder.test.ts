import { expect, test } from 'vitest'
import { BerthError } from '../../src/domain/errors.ts'
import type { Clock } from '../../src/domain/ports/clock.ts'
import type { RunStore } from '../../src/domain/ports/store.ts'
import { codeOf, quiet } from '../contract/content.ts'
import { ask, type DispatchSiteOptions, hastyClock, openDispatchSite } from '../support/dispatch-site.ts'
import { clock as systemClock } from '../support/provisioning-site.ts'

const recording = (record: (runs: RunStore) => RunStore['record']): Pick<DispatchSiteOptions, 'faultyRuns'> => ({
  faultyRuns: (runs) => ({ ...runs, record: record(runs) }),
})
const everyRun = { perSecond: 1e6, burst: 1e6, concurrency: 100, waiting: 1e6 }

test('many runs are written in few commits', async () => {
  const batches: number[] = []
  // A batch waits for its size or for whoever reads, never for time: how fast this machine is must not count.
  const patient: Clock = { ...systemClock, sleep: (ms, stop) => systemClock.sleep(ms === 100 ? 1e9 : ms, stop) }
  await using site = await openDispatchSite({
    clock: patient,
    perTenant: everyRun,
    ...recording((runs) => async (batch) => {
      batches.push(batch.length)
      await runs.record(batch)
    }),
  })
  const { tenantId } = await site.dispatcher.run(ask())
  await Promise.all(Array.from({ length: 300 }, () => site.dispatcher.run(ask())))

  await site.dispatcher.list({ tenantId, status: null, cursor: null, limit: 1 })

  expect(batches.reduce((sum, size) => sum + size, 0)).toBe(301)
  expect(Math.max(...batches)).toBeLessThanOrEqual(200)
  expect(batches.length).toBeLessThan(10)
})

test('an outage of the store loses no record', async () => {
  let outages = 3
  await using site = await openDispatchSite({
    clock: hastyClock,
    ...recording((runs) => async (batch) => {
      outages -= 1
      if (outages >= 0) throw new BerthError('store_unavailable', 'away')
      await runs.record(batch)
    }),
  })
  const { run, tenantId } = await site.dispatcher.run(ask())

  await expect.poll(async () => (await site.store.runs.find(tenantId, run.id))?.run.id).toBe(run.id)
  expect(site.log.codes().filter((code) => code === 'run.record_failed')).toHaveLength(3)
})

test('a record that the store refuses is told as lost and holds up no other', async () => {
  const poison = new Set<string>()
  await using site = await openDispatchSite({
    clock: hastyClock,
    ...recording((runs) => async (batch) => {
      if (batch.some(({ run }) => poison.has(run.id))) throw new BerthError('internal', 'refused')
      await runs.record(batch)
    }),
  })
  site.dispatch.answer = ((answer) => (options) => {
    if (poison.size === 0) poison.add(options.request.runId)
    return answer(options)
  })(site.dispatch.answer)
  const answers = await Promise.all([1, 2, 3].map(() => site.dispatcher.run(ask())))

  await expect.poll(() => site.log.codes().filter((code) => code === 'run.record_lost')).toHaveLength(1)
  const tenantId = answers[0]?.tenantId
  if (tenantId === undefined) throw new Error('expected a tenant')
  const { entries } = await site.dispatcher.list({ tenantId, status: null, cursor: null, limit: 10 })
  expect(entries).toHaveLength(2)
})

test('a full buffer while the store is away refuses new runs, and takes them again afterwards', async () => {
  let away = true
  await using site = await openDispatchSite({
    clock: hastyClock,
    perTenant: everyRun,
    ...recording((runs) => async (batch) => {
      if (away) throw new BerthError('store_unavailable', 'away')
      await runs.record(batch)
    }),
  })
  // The berth is there first: so many who wait for it keep a busy machine from making it, until their time is over.
  await site.provisioner.ensureBerth(ask().who, { signal: quiet() })
  const codes = await Promise.all(Array.from({ length: 2200 }, () => codeOf(site.dispatcher.run(ask()))))
  codes.push(await codeOf(site.dispatcher.run(ask())))

  expect(codes.at(-1)).toBe('store_unavailable')
  expect(new Set(codes)).toEqual(new Set(['no error', 'store_unavailable']))
  away = false
  await expect.poll(() => codeOf(site.dispatcher.run(ask()))).toBe('no error')
})
