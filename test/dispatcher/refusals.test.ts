import { expect, test } from 'vitest'
import { BerthError } from '../../src/domain/errors.ts'
import { codeOf } from '../contract/content.ts'
import { ask, openDispatchSite } from '../support/dispatch-site.ts'
import { clock } from '../support/provisioning-site.ts'
import { createScriptedDispatch, replyTo } from '../support/scripted-dispatch.ts'

const fence = { minRunnerVersion: 2, image: 'runner@sha256:new' }

const refusesOnce = (code: 'runner_outdated' | 'runner_failed' | 'backend_unavailable', data = {}) => {
  let first = true
  return createScriptedDispatch(({ request }) => {
    if (!first) return replyTo(request)
    first = false
    throw new BerthError(code, 'no', { data })
  })
}

test('an outdated runner is brought to the new image and the run is tried again', async () => {
  await using site = await openDispatchSite({ dispatch: refusesOnce('runner_outdated'), fence: () => fence })

  const { run } = await site.dispatcher.run(ask())

  expect([run.status, site.updates]).toEqual(['succeeded', [fence.image]])
  expect(site.dispatch.requests.map(({ minRunnerVersion }) => minRunnerVersion)).toEqual([2, 2])
})

test('a fence that is raised holds from the next run on, and for the second try of one that waits', async () => {
  let minRunnerVersion = 0
  const dispatch = createScriptedDispatch(({ request }) => {
    if (dispatch.requests.length !== 2) return replyTo(request)
    minRunnerVersion = 3
    throw new BerthError('runner_outdated', 'old')
  })
  await using site = await openDispatchSite({ dispatch, fence: () => ({ ...fence, minRunnerVersion }) })

  await site.dispatcher.run(ask())
  minRunnerVersion = 2
  await site.dispatcher.run(ask())

  expect(dispatch.requests.map((request) => request.minRunnerVersion)).toEqual([0, 2, 3])
})

const unknown = (): never => {
  throw new BerthError('backend_unavailable', 'the parameter does not answer')
}

test('a fence that nobody knows lets no run through', async () => {
  await using site = await openDispatchSite({ fence: unknown })

  expect(await codeOf(site.dispatcher.run(ask()))).toBe('backend_unavailable')
  expect(site.dispatch.requests).toEqual([])
})

test('a runner that stays outdated is tried once and then told', async () => {
  const dispatch = createScriptedDispatch(() => {
    throw new BerthError('runner_outdated', 'old')
  })
  await using site = await openDispatchSite({ dispatch, fence: () => fence })

  expect(await codeOf(site.dispatcher.run(ask()))).toBe('runner_outdated')
  expect(dispatch.requests).toHaveLength(2)
})

test('a runner that refuses every run has its berth looked at once in half a minute, and again at the next fence', async () => {
  const dispatch = createScriptedDispatch(() => {
    throw new BerthError('runner_outdated', 'old')
  })
  let now = fence
  // Not 0, which the cache takes for no time at all.
  let nowMs = 1
  const paused = { ...clock, monotonicMs: () => nowMs }
  await using site = await openDispatchSite({ dispatch, fence: () => now, clock: paused })
  const refusedRun = () => codeOf(site.dispatcher.run(ask()))

  for (let turn = 0; turn < 10; turn += 1) expect(await refusedRun()).toBe('runner_outdated')
  expect([dispatch.requests.length, site.updates]).toEqual([20, [fence.image]])

  nowMs += 30_001
  await refusedRun()
  now = { minRunnerVersion: 3, image: 'runner@sha256:newer' }
  await refusedRun()

  expect(site.updates).toEqual([fence.image, fence.image, now.image])
})

test('a runner that no single berth can be brought past stays outdated, which is no fault of the caller', async () => {
  const updateFails = new BerthError('unsupported', 'one function serves all tenants')
  const dispatch = refusesOnce('runner_outdated')
  await using site = await openDispatchSite({ dispatch, fence: () => fence, updateFails })

  expect(await codeOf(site.dispatcher.run(ask()))).toBe('runner_outdated')
  expect(dispatch.requests).toHaveLength(1)
})

test('a runner that refused before it began is asked once more', async () => {
  await using site = await openDispatchSite({ dispatch: refusesOnce('runner_failed', { runnerVersion: 1 }) })

  expect((await site.dispatcher.run(ask())).run.status).toBe('succeeded')
})

test('a run that may have started is never tried again', async () => {
  const dispatch = refusesOnce('runner_failed')
  await using site = await openDispatchSite({ dispatch })

  expect(await codeOf(site.dispatcher.run(ask()))).toBe('runner_failed')
  expect(dispatch.requests).toHaveLength(1)
})

test('a backend that is unavailable is not asked again', async () => {
  const dispatch = refusesOnce('backend_unavailable')
  await using site = await openDispatchSite({ dispatch })

  expect(await codeOf(site.dispatcher.run(ask()))).toBe('backend_unavailable')
  expect(dispatch.requests).toHaveLength(1)
})
