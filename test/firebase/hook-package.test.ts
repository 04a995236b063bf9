// @module-tag firebase-emulators
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Received, startAnsweringServer } from './answering-server.ts'
import { callHook } from './hook-caller.ts'
import { readManifest } from './hook-manifest.ts'
import { type HookPackage, makeHookPackage, PROJECT } from './hook-package.ts'

let hook: HookPackage
beforeAll(async () => {
  hook = await makeHookPackage('http://127.0.0.1:9')
})
afterAll(() => hook?.[Symbol.asyncDispose]())

const hoursAgo = (hours: number): string => new Date(Date.now() - hours * 3_600_000).toISOString()
const event = (overrides: object = {}) => ({
  id: 'event-1',
  time: hoursAgo(0),
  data: { uid: 'a/ü😀', email: 'someone@example.com', providerData: [{ providerId: 'password' }] },
  ...overrides,
})
const created = (overrides: object = {}) => ({ name: 'berthUserCreated', args: [event(overrides)] }) as const
const deleted = (overrides: object = {}) => ({ name: 'berthUserDeleted', args: [event(overrides)] }) as const
const bodyOf = ({ body }: Received) => JSON.parse(body)

describe('what is sent', () => {
  test('the canonical event with ids only, signed by Standard Webhooks', async () => {
    await using server = await startAnsweringServer(202)

    await callHook(hook, [created({ tenantId: 'tenant-7' }), deleted({ id: 'event-2' })], {
      env: { BERTH_HOOK_URL: server.url },
    })

    const [first, second] = server.received
    expect(first && bodyOf(first)).toEqual({
      type: 'user.created',
      timestamp: expect.any(String),
      data: { project: PROJECT, identityTenant: 'tenant-7', uid: 'a/ü😀' },
    })
    expect(second && bodyOf(second)).toMatchObject({ type: 'user.deleted', data: { identityTenant: '' } })
    expect(first?.headers['webhook-id']).toBe('event-1')
    expect(first && verified(first, hook.secret)).toEqual(first && bodyOf(first))
    expect(JSON.stringify(server.received)).not.toContain('someone')
  })

  test('that an address is verified is said, the address is not', async () => {
    await using server = await startAnsweringServer(202)
    const data = { uid: 'u', email: 'someone@example.com', emailVerified: true }

    await callHook(hook, [created({ data })], { env: { BERTH_HOOK_URL: server.url } })

    expect(server.received.map((each) => bodyOf(each).data)).toEqual([
      { project: PROJECT, identityTenant: '', uid: 'u', emailVerified: true },
    ])
  })

  test('functions of the 1st generation send the same', async () => {
    await using server = await startAnsweringServer(202)
    const context = { eventId: 'event-1', timestamp: hoursAgo(0) }
    const user = { ...event().data, tenantId: 'tenant-7' }
    const env = { BERTH_HOOK_URL: server.url }

    const { outcomes } = await callHook(
      hook,
      [
        { name: 'berthUserCreated', args: [user, context] },
        { name: 'berthUserDeleted', args: [user, context] },
        { name: 'berthUserCreated', args: [{ uid: 'anonymous', providerData: [] }, context] },
      ],
      { env, main: 'index-v1.js' },
    )

    expect(outcomes).toEqual([{ thrown: null }, { thrown: null }, { thrown: null }])
    expect(server.received.map((each) => bodyOf(each).type)).toEqual(['user.created', 'user.deleted'])
    expect(server.received.map((each) => bodyOf(each).data.identityTenant)).toEqual(['tenant-7', 'tenant-7'])
    expect(server.received[0]?.headers['webhook-id']).toBe('event-1')
  })
})

const verified = ({ headers, body }: Received, secret: string): unknown =>
  new Webhook(secret).verify(body, headers as Record<string, string>)

describe('what becomes of an event', () => {
  const again = [401, 403, 408, 409, 425, 429, 500, 502, 503, 504, 599] as const
  const dropped = [400, 402, 404, 405, 410, 413, 415, 422, 451] as const

  test('an answer that may change is waited for, another 4xx is logged and dropped', async () => {
    await using server = await startAnsweringServer(...again, ...dropped, 200, 202, 204)
    const calls = [...again, ...dropped, 200, 202, 204].map(() => created())

    const { outcomes, log } = await callHook(hook, calls, { env: { BERTH_HOOK_URL: server.url } })

    expect(server.received).toHaveLength(calls.length)
    expect(outcomes.map(({ thrown }) => thrown !== null)).toEqual([
      ...again.map(() => true),
      ...[...dropped, 200, 202, 204].map(() => false),
    ])
    const errors = log.split('\n').filter((line) => line.includes('refused for good'))
    expect(errors).toHaveLength(dropped.length)
    expect(errors[0]).toContain('"severity":"ERROR"')
    expect(errors[0]).toContain('"status":400')
  })

  test('a redirect is not followed, and nobody there is no answer: both are waited for', async () => {
    await using server = await startAnsweringServer(307)

    const redirected = await callHook(hook, [created()], { env: { BERTH_HOOK_URL: server.url } })
    const refused = await callHook(hook, [created()], { env: { BERTH_HOOK_URL: 'http://127.0.0.1:9/' } })

    expect(server.received).toHaveLength(1)
    expect(redirected.outcomes[0]?.thrown).toContain('fetch failed')
    expect(refused.outcomes[0]?.thrown).toContain('fetch failed')
  })

  test('a Berth that never answers is given up on, and the event waits', async () => {
    await using server = await startAnsweringServer(202, 0)
    const env = { BERTH_HOOK_URL: server.url }

    // The first is answered: what a process loads for its first request must not take from the second's time.
    const { outcomes } = await callHook(hook, [created(), created(), deleted()], { env, haste: 5 })

    expect(server.received).toHaveLength(3)
    const late = expect.stringContaining('TimeoutError')
    expect(outcomes.map(({ thrown }) => thrown)).toEqual([null, late, late])
  })

  test('an event that is too old is logged and dropped, so that it is not tried for ever', async () => {
    await using server = await startAnsweringServer(202)
    const env = { BERTH_HOOK_URL: server.url, BERTH_MAX_EVENT_HOURS: '2' }

    const { outcomes, log } = await callHook(hook, [created({ time: hoursAgo(3) }), created({ time: hoursAgo(1) })], {
      env,
    })

    expect(outcomes).toEqual([{ thrown: null }, { thrown: null }])
    expect(server.received).toHaveLength(1)
    expect(log).toContain('it is too old')
  })

  test('a secret that is none is said, and the event waits for the right one', async () => {
    await using server = await startAnsweringServer(202)
    const env = { BERTH_HOOK_URL: server.url, BERTH_HOOK_SECRET: 'forgotten' }

    const { outcomes } = await callHook(hook, [created()], { env })

    expect(outcomes[0]?.thrown).toContain('BERTH_HOOK_SECRET: expected whsec_ and base64')
    expect(outcomes[0]?.thrown).not.toContain('forgotten')
    expect(server.received).toEqual([])
  })
})

describe('anonymous users', () => {
  const anonymous = { data: { uid: 'anonymous', providerData: [] } }

  test('are passed over when they come and told of when they go', async () => {
    await using server = await startAnsweringServer(202)

    await callHook(hook, [created(anonymous), deleted(anonymous)], { env: { BERTH_HOOK_URL: server.url } })

    expect(server.received.map((each) => bodyOf(each).type)).toEqual(['user.deleted'])
  })

  test('are told of where the project wants it', async () => {
    await using server = await startAnsweringServer(202)
    const env = { BERTH_HOOK_URL: server.url, BERTH_ANONYMOUS_USERS: 'provision' }

    await callHook(hook, [created(anonymous)], { env })

    expect(server.received.map((each) => bodyOf(each).data.uid)).toEqual(['anonymous'])
  })

  test.each([{ email: 'a@example.com' }, { phoneNumber: '+491' }, { providerData: [{ providerId: 'google.com' }] }])(
    'are not those with %j',
    async (sign) => {
      await using server = await startAnsweringServer(202)
      const data = { uid: 'someone', providerData: [], ...sign }

      await callHook(hook, [created({ data })], { env: { BERTH_HOOK_URL: server.url } })

      expect(server.received).toHaveLength(1)
    },
  )
})

describe('the manifest that firebase deploy reads', () => {
  test('names both triggers with retry, the secret and the parameters', async () => {
    const manifest = await readManifest(hook)

    expect(manifest).toMatchObject({
      endpoints: {
        berthUserCreated: {
          platform: 'gcfv2',
          region: '{{ params.BERTH_HOOK_REGION }}',
          secretEnvironmentVariables: [{ key: 'BERTH_HOOK_SECRET' }],
          // More than the 10 s that it waits for Berth.
          timeoutSeconds: 30,
          eventTrigger: { eventType: 'google.firebase.auth.user.v2.created', retry: true, region: 'global' },
        },
        berthUserDeleted: { eventTrigger: { eventType: 'google.firebase.auth.user.v2.deleted', retry: true } },
      },
    })
    expect(JSON.stringify(manifest)).toContain('BERTH_HOOK_URL')
  })
})

test('the package names a runtime that Google still runs', async () => {
  const { engines } = JSON.parse(await readFile(join(hook.functions, 'package.json'), 'utf8'))

  expect(engines.node).toBe('24')
})
