// @module-tag firebase-emulators
import { readdir } from 'node:fs/promises'
import type { CryptoKey } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startIssuer, type TestIssuer } from '../support/issuer.ts'
import { type RunningServer, startServer } from '../support/running-server.ts'
import { callHook } from './hook-caller.ts'
import { readManifest } from './hook-manifest.ts'
import { type HookPackage, makeHookPackage, PROJECT } from './hook-package.ts'
import { type HookRelay, startHookRelay } from './hook-relay.ts'
import { startMetadataServer } from './metadata-server.ts'

const account = `berth-hook@${PROJECT}.iam.gserviceaccount.com`
let relay: HookRelay
let hook: HookPackage
let google: TestIssuer
let signingKey: CryptoKey
let server: RunningServer
let audience: string
beforeAll(async () => {
  relay = await startHookRelay()
  audience = `${relay.url}/v1/hooks/identity`
  hook = await makeHookPackage(relay.url, '--auth', 'google')
  google = await startIssuer()
  signingKey = await google.addKey('g1', { alg: 'RS256' })
  server = await startServer({
    BERTH_HOOK_AUTH: 'google',
    BERTH_HOOK_GOOGLE: JSON.stringify({ audience, emails: [account], jwksUri: google.jwksUri }),
  })
  relay.leadTo(server.url)
})
afterAll(async () => {
  for (const part of [server, google, hook, relay]) await part?.[Symbol.asyncDispose]()
})

/** Where the functions run: Google's metadata server there vouches for the account that they run as. */
const startRuntime = (email = account) =>
  startMetadataServer((aud) =>
    google.sign(
      signingKey,
      { iss: 'https://accounts.google.com', aud, email, email_verified: true },
      { alg: 'RS256', kid: 'g1' },
    ),
  )
const created = (uid: string) =>
  ({
    name: 'berthUserCreated',
    args: [{ id: `created-${uid}`, time: new Date().toISOString(), data: { uid, email: 'a@example.com' } }],
  }) as const
const deleted = (uid: string) =>
  ({
    name: 'berthUserDeleted',
    args: [{ id: `deleted-${uid}`, time: new Date().toISOString(), data: { uid } }],
  }) as const

test('with an ID token of their account for this hook alone the functions open the door of Berth', async () => {
  await using metadata = await startRuntime()
  const env = { GCE_METADATA_HOST: metadata.host }

  const { outcomes } = await callHook(hook, [created('ada'), deleted('ada')], { env })

  expect(outcomes).toEqual([{ thrown: null }, { thrown: null }])
  expect(relay.arrivals('ada')).toMatchObject([
    { status: 202, answer: { outcome: 'created' }, headers: { 'webhook-id': 'created-ada' } },
    { status: 202, headers: { 'webhook-id': 'deleted-ada' } },
  ])
  expect(relay.arrivals('ada').every(({ headers }) => headers['webhook-signature'] === undefined)).toBe(true)
  expect(metadata.asked[0]).toEqual({
    path: '/computeMetadata/v1/instance/service-accounts/default/identity',
    query: { audience, format: 'full' },
    flavor: 'Google',
  })
})

test('functions of the 1st generation do the same', async () => {
  await using metadata = await startRuntime()
  const { id, time, data } = created('bea').args[0]
  const call = { name: 'berthUserCreated', args: [data, { eventId: id, timestamp: time }] } as const

  const { outcomes } = await callHook(hook, [call], { env: { GCE_METADATA_HOST: metadata.host }, main: 'index-v1.js' })

  expect(outcomes).toEqual([{ thrown: null }])
  expect(relay.arrivals('bea')).toMatchObject([{ status: 202, answer: { outcome: 'created' } }])
})

test('as another account they are refused, and the event waits', async () => {
  await using metadata = await startRuntime(`other@${PROJECT}.iam.gserviceaccount.com`)

  const { outcomes } = await callHook(hook, [created('cy')], { env: { GCE_METADATA_HOST: metadata.host } })

  expect(outcomes[0]?.thrown).toContain('Berth answered 401')
  expect(relay.arrivals('cy')).toMatchObject([{ status: 401 }])
})

test('without a token nothing is sent, and the event waits', async () => {
  await using metadata = await startMetadataServer(() => Promise.reject(new Error('not now')))

  const { outcomes } = await callHook(hook, [created('dan')], { env: { GCE_METADATA_HOST: metadata.host } })

  expect(outcomes[0]?.thrown).toContain('the metadata server answered 503')
  expect(relay.arrivals('dan')).toEqual([])
})

test('the package has no secret, and its functions run as the account', async () => {
  const manifest = JSON.stringify(await readManifest(hook))

  expect(await readdir(hook.functions)).not.toContain('.secret.local')
  expect(manifest).not.toContain('BERTH_HOOK_SECRET')
  expect(manifest).toContain('"serviceAccountEmail":"{{ params.BERTH_HOOK_SERVICE_ACCOUNT }}"')
})
