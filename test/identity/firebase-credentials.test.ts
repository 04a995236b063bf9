import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import { globalAgent } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { jwtVerify } from 'jose'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openFirebaseUserLookup } from '../../src/identity/firebase-user-lookup.ts'
import { setVariables } from '../support/set-variables.ts'

const SECRET = 'ya29.of-the-server'
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const serviceAccount = {
  type: 'service_account',
  project_id: 'demo-berth',
  private_key_id: 'k1',
  private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  client_email: 'berth@demo-berth.iam.gserviceaccount.com',
  client_id: '1',
}

/** Neither an emulator nor a proxy of this machine. */
const nothingElse = Object.fromEntries(
  ['FIREBASE_AUTH_EMULATOR_HOST', 'HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'].map((name) => [
    name,
    undefined,
  ]),
)

/** Google's token endpoint and its user API. Every https connection of this process ends there, less the TLS. */
const startGoogle = async () => {
  const asked: string[] = []
  const failing = { token: null as number | null }
  const token = async (request: IncomingMessage): Promise<readonly [number, object]> => {
    if (failing.token !== null) return [failing.token, { error: 'invalid_grant' }]
    const assertion = new URLSearchParams(await text(request)).get('assertion') ?? ''
    await jwtVerify(assertion, publicKey, { issuer: serviceAccount.client_email })
    return [200, { access_token: SECRET, expires_in: 3600, token_type: 'Bearer' }]
  }
  const answer = async (request: IncomingMessage): Promise<readonly [number, object]> => {
    asked.push(`${request.headers.host}${request.url}`)
    if (request.headers.host === 'oauth2.googleapis.com') return token(request)
    if (request.headers.authorization !== `Bearer ${SECRET}`) return [401, { error: { message: 'UNAUTHENTICATED' } }]
    return [200, { users: [{ localId: 'alice', createdAt: '1', validSince: '1800000000' }] }]
  }
  const server = createServer((request, response) => {
    answer(request).then(
      ([status, body]) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
      () => response.writeHead(400).end('{"error":"invalid_request"}'),
    )
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const before = globalAgent.createConnection
  globalAgent.createConnection = () => connect({ host: '127.0.0.1', port })
  return {
    asked,
    failing,
    [Symbol.asyncDispose]: async () => {
      globalAgent.createConnection = before
      globalAgent.destroy()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

describe('with the key of a service account', () => {
  let google: Awaited<ReturnType<typeof startGoogle>>
  let folder: string
  let variables: Disposable
  beforeEach(async () => {
    google = await startGoogle()
    folder = mkdtempSync(join(tmpdir(), 'berth-credentials-'))
    const path = join(folder, 'key.json')
    writeFileSync(path, JSON.stringify(serviceAccount))
    variables = setVariables({ ...nothingElse, GOOGLE_APPLICATION_CREDENTIALS: path })
  })
  afterEach(async () => {
    variables[Symbol.dispose]()
    rmSync(folder, { recursive: true })
    await google[Symbol.asyncDispose]()
  })

  test('Google is asked for users of the project and of its tenants, and for one access token', async () => {
    await using users = await openFirebaseUserLookup('demo-berth')

    expect(await users.tryOut()).toBe('usable')
    expect(await users.find({ identityTenant: '', uid: 'alice' })).toEqual({
      disabled: false,
      validSince: 1_800_000_000,
    })
    await users.find({ identityTenant: 'blue', uid: 'alice' })
    expect(google.asked).toEqual([
      'oauth2.googleapis.com/token',
      'identitytoolkit.googleapis.com/v1/projects/demo-berth/accounts:lookup',
      'identitytoolkit.googleapis.com/v1/projects/demo-berth/accounts:lookup',
      'identitytoolkit.googleapis.com/v1/projects/demo-berth/tenants/blue/accounts:lookup',
    ])
  })

  test('that Google has withdrawn the start is refused', async () => {
    google.failing.token = 400
    await using users = await openFirebaseUserLookup('demo-berth')

    await expect(users.tryOut()).rejects.toMatchObject({
      code: 'config_invalid',
      message: expect.stringContaining('got app/invalid-credential, status 400;'),
    })
  })

  test('a fault of the token endpoint does not stop the start', async () => {
    google.failing.token = 500
    await using users = await openFirebaseUserLookup('demo-berth')

    expect(await users.tryOut()).toBe('unreachable')
  })
})
