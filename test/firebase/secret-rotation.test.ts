// @module-tag firebase-emulators
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { formatKeySecret } from '../../src/identity/key-secret.ts'
import { startServer } from '../support/running-server.ts'
import { callHook } from './hook-caller.ts'
import { type HookPackage, makeHookPackage } from './hook-package.ts'
import { type HookRelay, startHookRelay } from './hook-relay.ts'

let dataDir: string
let relay: HookRelay
let hook: HookPackage
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'berth-rotation-'))
  relay = await startHookRelay()
  hook = await makeHookPackage(relay.url)
})
afterAll(async () => {
  await hook?.[Symbol.asyncDispose]()
  await relay?.[Symbol.asyncDispose]()
  await rm(dataDir, { recursive: true, force: true })
})

const fresh = `whsec_${randomBytes(32).toString('base64')}`
const operatorKey = formatKeySecret('a'.repeat(32))

/** Berth on the same store each time, started with these secrets as the documentation says. */
const start = async (...secrets: readonly string[]) => {
  const server = await startServer({
    BERTH_DATA_DIR: dataDir,
    BERTH_OPERATOR_KEY: operatorKey,
    BERTH_HOOK_SECRETS: secrets.join(','),
  })
  relay.leadTo(server.url)
  return server
}

/** The functions as they were deployed with this secret; whether each is done with the event. */
const deliver = async (secret: string, ...uids: readonly string[]): Promise<readonly boolean[]> => {
  const calls = uids.map((uid) => ({
    name: 'berthUserCreated' as const,
    args: [{ id: `event-${uid}`, time: new Date().toISOString(), data: { uid, email: 'a@example.com' } }],
  }))
  const { outcomes } = await callHook(hook, calls, { env: { BERTH_HOOK_SECRET: `${secret}\n` } })
  return outcomes.map(({ thrown }) => thrown === null)
}

test('a secret is rotated as documented, over restarts of the server, and no event is lost', async () => {
  const before = await start(hook.secret)
  const first = [await deliver(hook.secret, 'before'), await deliver(fresh, 'hasty')]
  await before[Symbol.asyncDispose]()
  const down = await deliver(hook.secret, 'meanwhile')
  const overlap = await start(hook.secret, fresh)
  // Google brings what was not taken again, with the secret that the function has by then.
  const both = [await deliver(hook.secret, 'before', 'meanwhile'), await deliver(fresh, 'hasty', 'during')]
  await overlap[Symbol.asyncDispose]()
  await using after = await start(fresh)
  const last = [await deliver(hook.secret, 'left'), await deliver(fresh, 'left')]

  expect([first, down, both, last]).toEqual([
    [[true], [false]],
    [false],
    [
      [true, true],
      [true, true],
    ],
    [[false], [true]],
  ])
  const { data } = (await after.operator('GET', '/v1/tenants')).body as { data: { externalId: { uid: string } }[] }
  expect(data.map(({ externalId }) => externalId.uid).toSorted()).toEqual([
    'before',
    'during',
    'hasty',
    'left',
    'meanwhile',
  ])
})
