import { expect, test } from 'vitest'
import { createKeyedWakes } from '../../src/domain/keyed-wakes.ts'
import { createWake } from '../../src/domain/wake.ts'
import { codeOf, quiet } from '../contract/content.ts'
import { clock } from '../support/provisioning-site.ts'

const HOUR_MS = 3_600_000

test('a waiting loop is woken before its time', async () => {
  const { wake, wait } = createWake(clock)
  const waiting = wait(HOUR_MS, quiet())

  wake()

  await expect(waiting).resolves.toBeUndefined()
})

test('a wake before the wait counts, once', async () => {
  const { wake, wait } = createWake(clock)
  wake()
  wake()
  await wait(HOUR_MS, quiet())
  let returned = false

  const second = wait(HOUR_MS, quiet()).then(() => (returned = true))
  await Promise.resolve()

  expect(returned).toBe(false)
  wake()
  await second
})

test('an aborted wait returns without an error', async () => {
  const { wait } = createWake(clock)

  await expect(wait(HOUR_MS, AbortSignal.abort())).resolves.toBeUndefined()
})

test('a change wakes all who wait for that thing and nobody else', async () => {
  const wakes = createKeyedWakes<string>(clock)
  const leaving = new AbortController()
  const both = Promise.all([wakes.wait('a', HOUR_MS, quiet()), wakes.wait('a', HOUR_MS, quiet())])
  const other = codeOf(wakes.wait('b', HOUR_MS, leaving.signal))

  wakes.wake('a')
  await both
  leaving.abort()

  expect(await other).toContain('AbortError')
})
