import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseConfig } from '../../src/main/config.ts'
import { type RunningServer, startServer } from '../support/running-server.ts'
import { setVariables } from '../support/set-variables.ts'
import { startUserDirectory, type UserDirectory } from '../support/user-directory.ts'

const EMULATOR = '127.0.0.1:9099'
const firebaseOf = (more: object = {}): string => JSON.stringify({ project: 'demo-berth', ...more })
const emulated = { BERTH_FIREBASE: firebaseOf({ emulator: EMULATOR }), NODE_ENV: 'development' }

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const seconds = (): number => Math.floor(Date.now() / 1000)
/** As the emulator writes them. */
const unsigned = (claims: object = {}, header: object = { alg: 'none', typ: 'JWT' }): string => {
  const [project, now] = ['demo-berth', seconds()]
  const standard = { iss: `https://securetoken.google.com/${project}`, aud: project, sub: 'alice', auth_time: now }
  return `${part(header)}.${part({ ...standard, iat: now, exp: now + 3600, ...claims })}.`
}

describe('a server in emulator mode', () => {
  let server: RunningServer
  let google: UserDirectory
  beforeAll(async () => {
    google = await startUserDirectory()
    const variables = { FIREBASE_AUTH_EMULATOR_HOST: google.host }
    using _ = setVariables(variables)
    const firebase = firebaseOf({ emulator: google.host, revocation: 'sensitive' })
    server = await startServer({ BERTH_FIREBASE: firebase, NODE_ENV: 'test', ...variables })
  })
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
    await google[Symbol.asyncDispose]()
  })

  test('takes a token that nobody signed, and warns of it when it starts', async () => {
    google.users.set('/alice', {})
    const run = await server.call('POST', '/v1/runs', { key: unsigned(), json: { language: 'python', code: '1' } })

    expect(run.status).toBe(200)
    expect(server.events).toContainEqual(
      expect.objectContaining({ code: 'identity.emulator_trusted', level: 'warn', detail: { emulator: google.host } }),
    )
  })

  test('asks the emulator about the user', async () => {
    google.users.set('/mallory', { disabled: true })
    const json = { language: 'python', code: '1' }
    const run = await server.call('POST', '/v1/runs', { key: unsigned({ sub: 'mallory' }), json })

    expect(run).toMatchObject({ status: 401, body: { code: 'unauthenticated' } })
  })

  test.each<[string, () => string]>([
    ['that has expired', () => unsigned({ exp: seconds() - 100 })],
    ['of another audience', () => unsigned({ aud: 'demo-other' })],
    ['of another project', () => unsigned({ iss: 'https://securetoken.google.com/real-project', aud: 'real-project' })],
    ['of a tenant that is not let in', () => unsigned({ firebase: { tenant: 'red' } })],
    ['issued in the future', () => unsigned({ iat: seconds() + 300 })],
    ['that claims to be signed', () => `${unsigned({}, { alg: 'RS256', kid: 'k1' })}c2ln`],
  ])('answers 401 to a token %s', async (_name, make) => {
    expect(await server.call('GET', '/v1/runs', { key: make() })).toMatchObject({ status: 401 })
  })
})

test('control: without emulator mode a token that nobody signed is refused', async () => {
  await using server = await startServer({ BERTH_FIREBASE: firebaseOf(), NODE_ENV: 'development' })

  expect(await server.call('GET', '/v1/runs', { key: unsigned() })).toMatchObject({ status: 401 })
})

describe('emulator mode is refused', () => {
  const cell = [{ name: 'c', region: 'eu-west-1' }]

  test.each<[string, Record<string, string>]>([
    ['NODE_ENV', { NODE_ENV: 'production' }],
    ['NODE_ENV', { NODE_ENV: '' }],
    ['BERTH_HOST', { BERTH_HOST: '0.0.0.0' }],
    ['BERTH_HOST', { BERTH_HOST: '::' }],
    ['BERTH_HOST', { BERTH_HOST: '10.0.0.5' }],
    ['BERTH_TRUST_PROXY_HOPS', { BERTH_TRUST_PROXY_HOPS: '1' }],
    ['BERTH_BACKEND', { BERTH_BACKEND: 'lambda', BERTH_CELLS: JSON.stringify(cell) }],
    ['DATABASE_URL', { DATABASE_URL: 'postgres://berth:secret@db/berth' }],
    ['BERTH_FIREBASE', { BERTH_FIREBASE: JSON.stringify({ project: 'real-project', emulator: EMULATOR }) }],
    ['FIREBASE_AUTH_EMULATOR_HOST', { FIREBASE_AUTH_EMULATOR_HOST: '127.0.0.1:9100' }],
    ['FIREBASE_AUTH_EMULATOR_HOST', { BERTH_FIREBASE: firebaseOf({ emulator: EMULATOR, revocation: 'always' }) }],
  ])('by %s with %j', (variable, env) => {
    const parse = () => parseConfig({ ...emulated, ...env })

    expect(parse).toThrow(`${variable}: expected`)
    expect(parse).not.toThrow('secret')
  })

  test.each(['10.0.0.1:9099', 'emulator:9099', '127.0.0.1', 'http://127.0.0.1:9099', '127.0.0.1.example.com:9099', ''])(
    'with an emulator at %j',
    (emulator) => {
      expect(() => parseConfig({ ...emulated, BERTH_FIREBASE: firebaseOf({ emulator }) })).toThrow(
        'expected 127.0.0.1, localhost or [::1]',
      )
    },
  )

  test('control: and taken where nothing speaks against it', () => {
    for (const host of [EMULATOR, 'localhost:9099', '[::1]:9099'])
      expect(parseConfig({ ...emulated, BERTH_FIREBASE: firebaseOf({ emulator: host }) }).firebase).toMatchObject({
        emulator: host,
      })
    expect(parseConfig({ ...emulated, FIREBASE_AUTH_EMULATOR_HOST: EMULATOR }).firebase?.emulator).toBe(EMULATOR)
  })
})

describe('FIREBASE_AUTH_EMULATOR_HOST', () => {
  test.each(['never', 'sensitive', 'always'])('alone stops the start, with the policy %s too', (revocation) => {
    const env = { BERTH_FIREBASE: firebaseOf({ revocation }), FIREBASE_AUTH_EMULATOR_HOST: EMULATOR }

    expect(() => parseConfig(env)).toThrow('FIREBASE_AUTH_EMULATOR_HOST: expected none beside BERTH_FIREBASE')
  })

  test('means nothing to a server without BERTH_FIREBASE', () => {
    expect(parseConfig({ FIREBASE_AUTH_EMULATOR_HOST: EMULATOR }).firebase).toBeNull()
  })
})
