import { expect, test } from 'vitest'
import { BerthError } from '../../src/domain/errors.ts'
import { codeOf } from '../contract/content.ts'
import { ask, type DispatchSiteOptions, hastyClock, openDispatchSite } from '../support/dispatch-site.ts'

const withoutRecords: DispatchSiteOptions = {
  clock: hastyClock,
  faultyRuns: (runs) => ({ ...runs, record: () => Promise.reject(new BerthError('store_unavailable', 'away')) }),
}

test('a server stops though the store takes no records, and tells which were lost', async () => {
  await using site = await openDispatchSite(withoutRecords)
  const stop = site.work()
  const { run } = await site.dispatcher.run(ask())

  await stop()

  const lost = site.log.events.filter(({ code }) => code === 'run.record_lost')
  expect(lost.map(({ runId }) => runId)).toEqual([run.id])
})

test('a list that would miss what was answered before is refused instead of waiting for the store', async () => {
  await using site = await openDispatchSite(withoutRecords)
  const { tenantId } = await site.dispatcher.run(ask())

  const page = site.dispatcher.list({ tenantId, status: null, cursor: null, limit: 1 })

  expect(await codeOf(page)).toBe('store_unavailable')
})
