import { expect, test } from 'vitest'
import { BerthError } from '../../src/domain/errors.ts'
import type { RunId } from '../../src/domain/ids.ts'
import { codeOf, quiet, textOf } from '../contract/content.ts'
import { ask, openDispatchSite, python } from '../support/dispatch-site.ts'
import { aborted, canceledReply, createScriptedDispatch, replyTo } from '../support/scripted-dispatch.ts'

test('a run answers with what the runner said and with its timings', async () => {
  await using site = await openDispatchSite()

  const { run, replayed } = await site.dispatcher.run(ask())

  expect(replayed).toBe(false)
  expect(run).toMatchObject({ status: 'succeeded', failure: null, logs: { stdout: 'out' }, runner: { version: 1 } })
  expect(run.timings.totalMs).toBeGreaterThanOrEqual(run.timings.queueMs)
})

test('milliseconds have three places, in the answer and in the record', async () => {
  const usage = { wallMs: 1.23456, cpuMs: 0.98765, peakMemoryMiB: 12.5 }
  const dispatch = createScriptedDispatch(({ request }) =>
    replyTo(request, { usage, timings: { coldStartMs: 0.00049, execMs: 7.0005 } }),
  )
  await using site = await openDispatchSite({ dispatch })

  const { run } = await site.dispatcher.run(ask())

  expect(run.usage).toEqual({ wallMs: 1.235, cpuMs: 0.988, peakMemoryMiB: 12.5 })
  expect(run.timings).toMatchObject({ coldStartMs: 0, execMs: 7.001 })
  for (const ms of Object.values(run.timings)) expect(ms).toBe(Number(ms.toFixed(3)))
})

test('code that raises is a run with its error, not an error of Berth', async () => {
  const error = { name: 'ValueError', value: 'no', traceback: '', line: 1 }
  const outcome = { status: 'failed', code: 'code_raised', detail: 'ValueError: no' } as const
  const dispatch = createScriptedDispatch(({ request }) => replyTo(request, { outcome, error, results: [] }))
  await using site = await openDispatchSite({ dispatch })

  const { run } = await site.dispatcher.run(ask())

  expect(run).toMatchObject({ status: 'failed', error, failure: { code: 'code_raised', category: 'user' } })
})

test('a finished run can be read at once, before it is committed, and after', async () => {
  await using site = await openDispatchSite()
  const { run, tenantId } = await site.dispatcher.run(ask())

  expect((await site.dispatcher.get(tenantId, run.id)).run).toEqual(run)
  const { entries } = await site.dispatcher.list({ tenantId, status: null, cursor: null, limit: 10 })
  expect(entries).toEqual([run])
  expect((await site.store.runs.find(tenantId, run.id))?.run).toEqual(run)
})

test('a run that ends while it is looked for is found', async () => {
  const [looked, ended, goOn] = [1, 2, 3].map(() => Promise.withResolvers<void>())
  const begun = Promise.withResolvers<RunId>()
  const dispatch = createScriptedDispatch(async ({ request }) => {
    begun.resolve(request.runId as RunId)
    await goOn?.promise
    return replyTo(request)
  })
  await using site = await openDispatchSite({
    dispatch,
    faultyRuns: (runs) => ({
      ...runs,
      find: async (...asked) => {
        const found = await runs.find(...asked)
        looked?.resolve()
        await ended?.promise
        return found
      },
    }),
  })
  const { tenant } = await site.provisioner.ensureBerth(ask().who, { signal: quiet() })
  const running = site.dispatcher.run(ask({ onEvent: () => undefined }))
  const found = site.dispatcher.get(tenant.id, await begun.promise)
  await looked?.promise

  goOn?.resolve()
  const { run } = await running
  ended?.resolve()

  expect((await found).run).toEqual(run)
})

test('a run that is written while its cancel looks for it has ended, and is not unknown', async () => {
  let meanwhile: (() => Promise<unknown>) | null = null
  await using site = await openDispatchSite({
    faultyRuns: (runs) => ({
      ...runs,
      requestCancel: async (...asked) => {
        const found = await runs.requestCancel(...asked)
        await meanwhile?.()
        return found
      },
    }),
  })
  const { run, tenantId } = await site.dispatcher.run(ask())
  meanwhile = () => site.dispatcher.list({ tenantId, status: null, cursor: null, limit: 1 })

  expect(await codeOf(site.dispatcher.cancel(tenantId, run.id))).toBe('conflict')
})

test('a run of another tenant is not found', async () => {
  await using site = await openDispatchSite()
  const { run } = await site.dispatcher.run(ask())
  const { tenantId } = await site.dispatcher.run(ask({ who: { project: 'shop', identityTenant: '', uid: 'bea' } }))

  expect(await codeOf(site.dispatcher.get(tenantId, run.id))).toBe('not_found')
  expect(await codeOf(site.dispatcher.cancel(tenantId, run.id))).toBe('not_found')
})

test('a run whose caller goes away is canceled with what was captured', async () => {
  const leaving = new AbortController()
  const dispatch = createScriptedDispatch(async ({ request, signal }) => {
    leaving.abort()
    await aborted(signal)
    return canceledReply(request)
  })
  await using site = await openDispatchSite({ dispatch })

  const { run } = await site.dispatcher.run(ask({ signal: leaving.signal }))

  expect(run).toMatchObject({ status: 'canceled', failure: { code: 'canceled' }, logs: { stdout: 'out' } })
})

test('an artifact inside the reply lies where its URL points, whatever its name', async () => {
  const artifact = { name: 'charts/Größe 1?.txt', mime: 'text/plain', bytes: 5, sha256: 'x' }
  const content = Buffer.from('hello').toString('base64')
  const dispatch = createScriptedDispatch(({ request }) =>
    replyTo(request, { artifacts: [{ ...artifact, content, stored: false }] }),
  )
  await using site = await openDispatchSite({ dispatch })

  const { run, tenantId } = await site.dispatcher.run(ask())

  const { berthId, run: remembered } = await site.dispatcher.get(tenantId, run.id)
  if (berthId === null) throw new Error('expected the berth of the run')
  const found = await site.files.get({ berthId, area: 'run', runId: run.id }, artifact.name, { signal: quiet() })
  expect(found && (await textOf(found.body))).toBe('hello')
  expect(run.warnings).toEqual([])
  expect(run.artifacts).toEqual([
    { ...artifact, content, url: `/v1/runs/${run.id}/artifacts/charts/Gr%C3%B6%C3%9Fe%201%3F.txt` },
  ])
  expect(remembered.artifacts[0]?.content).toBeNull()
})

test('a reply to another run is refused', async () => {
  const dispatch = createScriptedDispatch(() => replyTo({ runId: 'r22222222222222222222222' }))
  await using site = await openDispatchSite({ dispatch })

  expect(await codeOf(site.dispatcher.run(ask()))).toBe('malformed_reply')
})

test('a failure of the backend is told, and the run is remembered with it', async () => {
  const dispatch = createScriptedDispatch(() => {
    throw new BerthError('backend_unavailable', 'gone', { retryAfterSeconds: 5 })
  })
  await using site = await openDispatchSite({ dispatch })

  const error: unknown = await site.dispatcher.run(ask()).catch((reason: unknown) => reason)

  expect(error).toMatchObject({ code: 'backend_unavailable', retryAfterSeconds: 5 })
  expect(site.log.events.find(({ code }) => code === 'run.finished')).toMatchObject({
    detail: { status: 'system_error', failure: 'backend_unavailable' },
  })
})

test('what broke without an error of Berth is an internal error, and the cause is kept', async () => {
  const dispatch = createScriptedDispatch(() => {
    throw new TypeError('oops')
  })
  await using site = await openDispatchSite({ dispatch })

  expect(await codeOf(site.dispatcher.run(ask()))).toBe('internal')
})

test('a run of a known tenant reads nothing from the store', async () => {
  const asked: string[] = []
  await using site = await openDispatchSite({
    faultyRuns: (runs) =>
      new Proxy(runs, {
        get: (target, name, receiver): unknown => {
          asked.push(String(name))
          return Reflect.get(target, name, receiver)
        },
      }),
  })
  await site.dispatcher.run(ask())
  await site.dispatcher.list({
    tenantId: (await site.dispatcher.run(ask())).tenantId,
    status: null,
    cursor: null,
    limit: 1,
  })

  asked.length = 0
  await site.dispatcher.run(ask())

  expect(asked).toEqual([])
})

test('the evaluator profile gets two seconds and little memory unless it asks for less', async () => {
  await using site = await openDispatchSite()

  await site.dispatcher.run(ask({ request: python({ profile: 'evaluator' }) }))
  await site.dispatcher.run(ask({ request: python({ profile: 'evaluator', timeoutMs: 100, memoryMiB: 64 }) }))

  const limits = site.dispatch.requests.map(({ limits: { timeoutMs, memoryMiB } }) => [timeoutMs, memoryMiB])
  expect(limits).toEqual([
    [2000, 128],
    [100, 64],
  ])
})

test('a reply that nobody foresaw ends its run as an error of Berth, and does not leave it open', async () => {
  // Half a character cannot be written into a URL.
  const artifact = { name: '\uD800', mime: 'text/plain', bytes: 0, sha256: '', content: null, stored: true }
  const dispatch = createScriptedDispatch(({ request }) => replyTo(request, { artifacts: [artifact] }))
  await using site = await openDispatchSite({ dispatch })

  expect(await codeOf(site.dispatcher.run(ask()))).toBe('internal')
  expect(site.log.events.find(({ code }) => code === 'run.finished')?.detail).toMatchObject({ status: 'system_error' })
})
