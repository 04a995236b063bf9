import { expect, test } from 'vitest'
import { codeOf, quiet } from '../contract/content.ts'
import { ask, openDispatchSite } from '../support/dispatch-site.ts'
import { createScriptedDispatch, replyTo } from '../support/scripted-dispatch.ts'

const artifact = { name: 'a.txt', mime: 'text/plain', bytes: 1, sha256: 'x', content: 'YQ==', stored: false }
const withArtifact = () => createScriptedDispatch(({ request }) => replyTo(request, { artifacts: [artifact] }))

const runThenClean = async (retentionMs: number) => {
  const site = await openDispatchSite({ dispatch: withArtifact(), retentionMs })
  const { run, tenantId } = await site.dispatcher.run(ask())
  await site.dispatcher.list({ tenantId, status: null, cursor: null, limit: 1 })
  const { berthId } = await site.dispatcher.get(tenantId, run.id)
  if (berthId === null) throw new Error('expected the berth of the run')
  // Once its time is over by the millisecond.
  await expect.poll(() => Date.now() > Date.parse(run.finishedAt ?? '') + 1).toBe(true)
  const stop = site.work()
  const next = await site.dispatcher.submit(ask())
  await expect
    .poll(async () => (await site.dispatcher.get(tenantId, next.run.id).catch(() => null))?.run.status ?? 'gone')
    .not.toBe('queued')
  await stop()
  const place = { berthId, area: 'run', runId: run.id } as const
  const left = await site.files.list(place, { cursor: null, limit: 9, signal: quiet() })
  return { site, tenantId, run, left: left.entries.map(({ name }) => name) }
}

test('a run that is too old goes with its artifacts', async () => {
  const { site, tenantId, run, left } = await runThenClean(0)
  await using _ = site

  expect(await codeOf(site.dispatcher.get(tenantId, run.id))).toBe('not_found')
  expect(left).toEqual([])
})

test('a run that is not too old stays with its artifacts', async () => {
  const { site, tenantId, run, left } = await runThenClean(3_600_000)
  await using _ = site

  expect((await site.dispatcher.get(tenantId, run.id)).run.id).toBe(run.id)
  expect(left).toEqual([artifact.name])
})

test('a server that stops while it deletes finishes what it began, or the artifacts would stay for ever', async () => {
  await using site = await openDispatchSite({ dispatch: withArtifact(), retentionMs: 0, drainMs: 1 })
  const { run, tenantId } = await site.dispatcher.run(ask())
  await site.dispatcher.list({ tenantId, status: null, cursor: null, limit: 1 })
  const { berthId } = await site.dispatcher.get(tenantId, run.id)
  if (berthId === null) throw new Error('expected the berth of the run')
  await expect.poll(() => Date.now() > Date.parse(run.finishedAt ?? '') + 1).toBe(true)

  await site.work()()

  const left = await site.files.list(
    { berthId, area: 'run', runId: run.id },
    { cursor: null, limit: 1, signal: quiet() },
  )
  expect(await codeOf(site.dispatcher.get(tenantId, run.id))).toBe('not_found')
  expect(left.entries).toEqual([])
})
