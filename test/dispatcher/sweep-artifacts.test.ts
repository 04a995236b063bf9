import { expect, test } from 'vitest'
import { BerthError } from '../../src/domain/errors.ts'
import type { RunId } from '../../src/domain/ids.ts'
import { bodyOf, quiet } from '../contract/content.ts'
import { ask, type DispatchSiteOptions, openDispatchSite } from '../support/dispatch-site.ts'
import { clock, externalId, ids } from '../support/provisioning-site.ts'
import { createScriptedDispatch, replyTo } from '../support/scripted-dispatch.ts'

const signal = quiet()
const HOUR_MS = 3_600_000
/** By this clock everything on the disk is three hours old. */
const later = { ...clock, now: () => new Date(clock.now().getTime() + 3 * HOUR_MS) }

const away = async (): Promise<never> => {
  throw new BerthError('store_unavailable', 'away')
}

const open = async (options: DispatchSiteOptions = {}) => {
  const swept = Promise.withResolvers<void>()
  // After a sweep the dispatcher rests for six hours.
  const sleep: typeof clock.sleep = (ms, stop) => {
    if (ms === 6 * HOUR_MS) swept.resolve()
    return clock.sleep(ms, stop)
  }
  const site = await openDispatchSite({ clock: { ...later, sleep }, retentionMs: HOUR_MS, ...options })
  const { berth } = await site.provisioner.ensureBerth(externalId('ada'), { signal })
  const put = async (runId: RunId): Promise<RunId> => {
    await site.files.put({ berthId: berth.id, area: 'run', runId }, 'a.txt', bodyOf('x'), { maxBytes: 9, signal })
    return runId
  }
  const left = async () => {
    const all = await site.files.listRuns(berth.id, { untouchedSince: later.now(), signal })
    return all.toSorted()
  }
  const sweep = async () => {
    site.work()
    await swept.promise
  }
  return { ...site, put, left, sweep, [Symbol.asyncDispose]: () => site[Symbol.asyncDispose]() }
}

test('artifacts that are too old and that no run knows are deleted', async () => {
  await using site = await open()
  await site.put(ids.runId())

  await site.sweep()

  expect(await site.left()).toEqual([])
})

test('artifacts of a run that is remembered stay, however old they look', async () => {
  await using site = await open()
  const { run, tenantId } = await site.dispatcher.run(ask())
  await site.dispatcher.list({ tenantId, status: null, cursor: null, limit: 1 })
  await site.put(run.id)
  await site.put(ids.runId())

  await site.sweep()

  expect(await site.left()).toEqual([run.id])
})

test('artifacts of a run whose record waits for the store stay', async () => {
  await using site = await open({ faultyRuns: (runs) => ({ ...runs, record: away }) })
  const { run } = await site.dispatcher.run(ask())
  await site.put(run.id)
  await site.put(ids.runId())

  await site.sweep()

  expect(await site.left()).toEqual([run.id])
})

test('artifacts of a run that still runs stay', async () => {
  const begun = Promise.withResolvers<RunId>()
  const end = Promise.withResolvers<void>()
  const dispatch = createScriptedDispatch(async ({ request }) => {
    begun.resolve(request.runId as RunId)
    await end.promise
    return replyTo(request)
  })
  await using site = await open({ dispatch })
  const running = site.dispatcher.run(ask())
  const runId = await site.put(await begun.promise)
  await site.put(ids.runId())

  await site.sweep()

  expect(await site.left()).toEqual([runId])
  end.resolve()
  await running
})

test('artifacts that are not too old stay though no run knows them', async () => {
  await using site = await open({ retentionMs: 24 * HOUR_MS })
  const runId = await site.put(ids.runId())

  await site.sweep()

  expect(await site.left()).toEqual([runId])
})

test('what lies beside the places of runs is deleted in the same sweep, and told', async () => {
  await using site = await open()
  const told = site.log.next('retention.strays_swept')
  const asked: Date[] = []
  const deleteStrays = async (_: unknown, { untouchedSince }: { untouchedSince: Date }) => asked.push(untouchedSince)
  Object.assign(site.files, { deleteStrays })

  await site.sweep()

  expect(await told).toMatchObject({ detail: { files: 1 } })
  // Not what a runner may be writing at the moment.
  expect(later.now().getTime() - (asked[0]?.getTime() ?? 0)).toBeGreaterThanOrEqual(2 * HOUR_MS)
})

test('strays that cannot be deleted keep nothing else from being swept', async () => {
  await using site = await open()
  const told = site.log.next('retention.strays_left')
  Object.assign(site.files, { deleteStrays: away })
  await site.put(ids.runId())

  await site.sweep()

  expect((await told).detail).toEqual({ reason: 'store_unavailable' })
  expect(await site.left()).toEqual([])
})
