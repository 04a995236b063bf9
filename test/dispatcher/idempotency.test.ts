import { expect, test } from 'vitest'
import { codeOf } from '../contract/content.ts'
import { ask, openDispatchSite } from '../support/dispatch-site.ts'
import { createScriptedDispatch, replyTo } from '../support/scripted-dispatch.ts'

const idempotency = { key: 'key-1', requestHash: 'hash-1' }

test('the same key with the same body answers with the first run and executes once', async () => {
  await using site = await openDispatchSite()
  const first = await site.dispatcher.run(ask({ idempotency }))

  const second = await site.dispatcher.run(ask({ idempotency }))

  expect(second).toEqual({ ...first, replayed: true })
  expect(site.dispatch.requests).toHaveLength(1)
})

test('without a key the same body executes twice', async () => {
  await using site = await openDispatchSite()
  await site.dispatcher.run(ask())
  await site.dispatcher.run(ask())

  expect(site.dispatch.requests).toHaveLength(2)
})

test('the same key with another body is refused', async () => {
  await using site = await openDispatchSite()
  await site.dispatcher.run(ask({ idempotency }))

  const other = site.dispatcher.run(ask({ idempotency: { ...idempotency, requestHash: 'hash-2' } }))

  expect(await codeOf(other)).toBe('idempotency_conflict')
})

test('the key of a run that still runs is told so', async () => {
  const begun = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  const dispatch = createScriptedDispatch(async ({ request }) => {
    begun.resolve()
    await goOn.promise
    return replyTo(request)
  })
  await using site = await openDispatchSite({ dispatch })
  const first = site.dispatcher.run(ask({ idempotency }))
  await begun.promise

  expect(await codeOf(site.dispatcher.run(ask({ idempotency })))).toBe('idempotency_in_flight')
  goOn.resolve()
  expect((await first).run.status).toBe('succeeded')
})

test('a key belongs to one tenant', async () => {
  await using site = await openDispatchSite()
  await site.dispatcher.run(ask({ idempotency }))

  const other = await site.dispatcher.run(
    ask({ idempotency, who: { project: 'shop', identityTenant: '', uid: 'bea' } }),
  )

  expect(other.replayed).toBe(false)
})

test('a submitted run is answered again, whatever its state', async () => {
  await using site = await openDispatchSite()
  const first = await site.dispatcher.submit(ask({ idempotency }))

  const second = await site.dispatcher.submit(ask({ idempotency }))

  expect(second).toEqual({ ...first, replayed: true })
})
