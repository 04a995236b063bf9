import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type BerthError, isBerthError } from '../../src/domain/errors.ts'
import { defaultRunLimits } from '../../src/domain/limits.ts'
import { configurationDoc } from '../../src/main/configuration-doc.ts'
import { parseConfig } from '../../src/main/config.ts'
import { environmentSchema } from '../../src/main/environment.ts'
import { settingOf } from '../../src/main/setting.ts'

const refusalOf = (env: Record<string, string>): BerthError => {
  try {
    parseConfig(env)
  } catch (error) {
    if (isBerthError(error)) return error
    throw error
  }
  throw new Error('the configuration was taken')
}

const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`

describe('the configuration', () => {
  test('has a default for everything, so an empty environment starts a server for this machine only', () => {
    const config = parseConfig({})

    expect(config).toMatchObject({
      host: '127.0.0.1',
      port: 8787,
      databaseUrl: null,
      backend: 'local',
      hookSecrets: [],
    })
    expect(config.runLimits).toEqual(defaultRunLimits)
    expect(config.local.unsafe).toBe(false)
  })

  test('takes an empty variable for one that is not set', () => {
    expect(parseConfig({ BERTH_PORT: '', BERTH_HOOK_SECRETS: '' })).toEqual(parseConfig({}))
  })

  test('is frozen to its depth', () => {
    const config = parseConfig({})

    expect(Object.isFrozen(config) && Object.isFrozen(config.local) && Object.isFrozen(config.runLimits)).toBe(true)
  })

  test('makes the data directory absolute', () => {
    expect(parseConfig({ BERTH_DATA_DIR: 'x' }).dataDir).toBe(resolve('x'))
  })

  test('ignores variables of others and those of the client', () => {
    expect(() => parseConfig({ PATH: '/bin', BERTH_URL: 'http://x', BERTH_KEY: 'k', BERTH_TENANT: 't' })).not.toThrow()
  })

  test('refuses a variable that it does not know and says which one was meant', () => {
    const error = refusalOf({ BERTH_PROT: '1' })

    expect(error.code).toBe('config_invalid')
    expect(error.message).toBe('BERTH_PROT: there is no such setting; did you mean BERTH_PORT?')
  })

  test('says the variable, what was expected and what was got, for all faults at once', () => {
    const error = refusalOf({ BERTH_PORT: '70000', BERTH_LOG_LEVEL: 'loud', BERTH_LOCAL_UNSAFE: 'yes' })

    expect(error.errors).toEqual([
      { pointer: '/BERTH_PORT', detail: 'expected whole number from 0 to 65,535, got "70000"' },
      { pointer: '/BERTH_LOG_LEVEL', detail: 'expected one of debug, info, warn, error, silent, got "loud"' },
      { pointer: '/BERTH_LOCAL_UNSAFE', detail: 'expected 1 or 0, got "yes"' },
    ])
  })

  test.each(['-1', '1.5', '1e3', '0x10', ' 1', '99999999999999999999'])('refuses %j as a whole number', (value) => {
    expect(refusalOf({ BERTH_SPARES: value }).message).toContain('BERTH_SPARES: expected whole number')
  })

  test.each([
    ['BERTH_PORT', '65535', '65536'],
    ['BERTH_MAX_TIMEOUT_MS', '900000', '900001'],
    ['BERTH_MAX_PROCESSES', '1024', '1025'],
  ])('%s takes its maximum %s and refuses %s', (name, most, over) => {
    expect(() => parseConfig({ [name]: most })).not.toThrow()
    expect(refusalOf({ [name]: over }).message).toContain(name)
  })

  test.each([
    ['BERTH_OPERATOR_KEY', 'berth_tooshort'],
    ['BERTH_HOOK_SECRETS', 'whsec_topsecret'],
    ['DATABASE_URL', 'mysql://user:topsecret@host/db'],
  ])('never repeats the value of %s', (name, value) => {
    const error = refusalOf({ [name]: value })

    expect(error.message).toContain(name)
    expect(JSON.stringify([error.message, error.errors])).not.toContain(value)
  })

  test('takes several hook secrets', () => {
    expect(parseConfig({ BERTH_HOOK_SECRETS: `${secret}, ${secret}` }).hookSecrets).toHaveLength(2)
  })

  test('refuses a list of hook secrets of which one is broken', () => {
    expect(refusalOf({ BERTH_HOOK_SECRETS: `${secret},whsec_` }).message).toContain('whsec_')
  })

  const google = '{"audience":"https://b.example/v1/hooks/identity","emails":["a@p.iam.gserviceaccount.com"]}'

  test.each<[string, Record<string, string>]>([
    ['BERTH_HOOK_GOOGLE', { BERTH_HOOK_GOOGLE: google }],
    ['BERTH_HOOK_GOOGLE', { BERTH_HOOK_AUTH: 'google' }],
    ['BERTH_HOOK_GOOGLE', { BERTH_HOOK_AUTH: 'both', BERTH_HOOK_SECRETS: secret }],
    ['BERTH_HOOK_SECRETS', { BERTH_HOOK_AUTH: 'both', BERTH_HOOK_GOOGLE: google }],
    ['BERTH_HOOK_SECRETS', { BERTH_HOOK_AUTH: 'google', BERTH_HOOK_GOOGLE: google, BERTH_HOOK_SECRETS: secret }],
  ])('opens no door of the hook that is not named: %s in %j', (variable, env) => {
    expect(refusalOf(env).message).toMatch(new RegExp(`^${variable}: expected`))
  })

  test.each([
    ['hmac', { BERTH_HOOK_SECRETS: secret }],
    ['google', { BERTH_HOOK_GOOGLE: google }],
    ['both', { BERTH_HOOK_SECRETS: secret, BERTH_HOOK_GOOGLE: google }],
  ])('takes what belongs to the doors of %s', (auth, env) => {
    expect(parseConfig({ BERTH_HOOK_AUTH: auth, ...env }).hookSecrets).toHaveLength(auth === 'google' ? 0 : 1)
  })

  const bearer = 'x'.repeat(32)
  const source = { name: 'a', provider: 'supabase', project: 'p', secrets: [`v1,${secret}`] }

  test('takes a secret of Supabase as Supabase writes it', () => {
    expect(parseConfig({ BERTH_HOOK_SOURCES: JSON.stringify([source]) }).hookSources).toHaveLength(1)
  })

  test.each<[string, readonly object[]]>([
    ['a provider that there is none of', [{ ...source, provider: 'workos' }]],
    ['no proof', [{ ...source, secrets: undefined }]],
    ['two proofs', [{ ...source, bearer: [bearer] }]],
    ['a proof that the provider does not give', [{ ...source, provider: 'auth0' }]],
    ['a short token', [{ ...source, secrets: undefined, bearer: ['short'] }]],
    ['one name twice', [source, { ...source, project: 'q' }]],
    ['one project twice, whose users would be taken for each other', [source, { ...source, name: 'b' }]],
  ])('refuses sources of the hook with %s', (_name, sources) => {
    const { message } = refusalOf({ BERTH_HOOK_SOURCES: JSON.stringify(sources) })

    expect(message).toMatch(/^BERTH_HOOK_SOURCES: expected/)
    expect(message).not.toContain(secret)
  })

  test('refuses a source whose users would have another name by their token, and so a berth that no deletion reaches', () => {
    const issuer = { project: 'p', issuer: 'https://a', audience: 'x' }
    const env = (more: object) => ({
      BERTH_HOOK_SOURCES: JSON.stringify([source]),
      BERTH_OIDC_ISSUERS: JSON.stringify([{ ...issuer, ...more }]),
    })

    expect(refusalOf(env({ tenantClaim: 'org_id' })).message).toMatch(/^BERTH_HOOK_SOURCES: expected no tenantClaim/)
    expect(parseConfig(env({})).hookSources).toHaveLength(1)
  })

  test('refuses one secret for two doors, as a signature names no door', () => {
    const other = { name: 'b', provider: 'clerk', project: 'q', secrets: [secret] }
    const refusals = [
      refusalOf({ BERTH_HOOK_SOURCES: JSON.stringify([source, other]) }),
      refusalOf({ BERTH_HOOK_SECRETS: secret, BERTH_HOOK_SOURCES: JSON.stringify([source]) }),
    ]

    for (const { message } of refusals) {
      expect(message).toMatch(/^BERTH_HOOK_SOURCES: expected secrets and tokens of its own/)
      expect(message).not.toContain(secret)
    }
  })

  test('refuses one issuer that names the identity tenant for one audience and not for another, as a user would be two', () => {
    const app = { project: 'p', issuer: 'https://a', audience: 'app', tenantClaim: 'org_id' }
    const entries = (more: object) => ({ BERTH_OIDC_ISSUERS: JSON.stringify([app, { ...app, ...more }]) })

    expect(refusalOf(entries({ audience: 'cli', tenantClaim: undefined })).message).toMatch(
      /^BERTH_OIDC_ISSUERS: expected the same tenantClaim for each audience in the project "p"/,
    )
    expect(parseConfig(entries({ audience: 'cli' })).oidcIssuers).toHaveLength(2)
  })

  test('refuses an issuer of Firebase whose identity tenants would be taken for one, as they share their keys', () => {
    const firebase = { project: 'p', issuer: 'https://securetoken.google.com/demo-p', audience: 'demo-p' }
    const entry = (more: object) => ({ BERTH_OIDC_ISSUERS: JSON.stringify([{ ...firebase, ...more }]) })

    for (const tenantClaim of [undefined, 'tenant'])
      expect(refusalOf(entry({ tenantClaim })).message).toMatch(
        /^BERTH_OIDC_ISSUERS: expected tenantClaim "firebase\.tenant" at an issuer of Firebase/,
      )
    expect(parseConfig(entry({ tenantClaim: 'firebase.tenant' })).oidcIssuers).toHaveLength(1)
  })

  test('refuses two issuers in one project, as the subject of one could be that of the other', () => {
    const issuers = ['https://a', 'https://b'].map((issuer) => ({ project: 'p', issuer, audience: 'x' }))
    const [first] = issuers

    expect(refusalOf({ BERTH_OIDC_ISSUERS: JSON.stringify(issuers) }).message).toMatch(
      /^BERTH_OIDC_ISSUERS: expected one issuer in the project "p", got several/,
    )
    for (const list of [
      issuers.map((issuer, at) => ({ ...issuer, project: `p${at}` })),
      [first, { ...first, audience: 'y' }],
    ])
      expect(parseConfig({ BERTH_OIDC_ISSUERS: JSON.stringify(list) }).oidcIssuers).toHaveLength(2)
  })

  test.each([
    ['not JSON', '{'],
    ['not a list', '{}'],
    ['an issuer without audience', '[{"project":"p","issuer":"https://i"}]'],
    ['an issuer over plain http', '[{"project":"p","issuer":"http://i","audience":"a"}]'],
    ['a field that does not exist', '[{"project":"p","issuer":"https://i","audience":"a","alg":"none"}]'],
  ])('refuses issuers that are %s', (_name, value) => {
    expect(refusalOf({ BERTH_OIDC_ISSUERS: value }).message).toMatch(/^BERTH_OIDC_ISSUERS: expected/)
  })

  test('takes an issuer over https', () => {
    const issuer = { project: 'p', issuer: 'https://i', audience: 'a', tenantClaim: 'firebase.tenant' }

    expect(parseConfig({ BERTH_OIDC_ISSUERS: JSON.stringify([issuer]) }).oidcIssuers).toEqual([issuer])
  })

  test('refuses settings that contradict each other', () => {
    const error = refusalOf({ BERTH_RUN_TIMEOUT_MS: '2000', BERTH_MAX_TIMEOUT_MS: '1000' })

    expect(error.message).toBe('BERTH_RUN_TIMEOUT_MS: expected at most BERTH_MAX_TIMEOUT_MS (1000), got 2000')
  })

  test('documents a reason for every variable', () => {
    const reasons = Object.values(environmentSchema.shape).map((schema) => settingOf(schema).reason)

    expect(reasons.every((reason) => reason.endsWith('.'))).toBe(true)
  })

  test('is what docs/configuration.md says (mend it with: node scripts/generate-configuration-doc.ts)', () => {
    const doc = readFileSync(resolve(import.meta.dirname, '../../docs/configuration.md'), 'utf8')

    expect(doc).toBe(configurationDoc())
  })
})

const withCells = (cells: unknown, env: Record<string, string> = {}) => ({
  BERTH_BACKEND: 'lambda',
  BERTH_CELLS: JSON.stringify(cells),
  ...env,
})

describe('cells', () => {
  const cell = { name: 'eu', region: 'eu-west-1' }
  test('need a name and a Region; the rest has defaults', () => {
    const config = parseConfig(withCells([cell]))

    expect(config.backend).toBe('lambda')
    expect(config.cells).toEqual([
      {
        ...cell,
        deployment: 'berth',
        maxBerths: 1800,
        functions: {
          memoryMiB: 1024,
          timeoutSeconds: 120,
          ephemeralStorageMiB: 1024,
          logRetentionDays: 30,
          reservedConcurrency: null,
          architecture: 'x86_64',
        },
      },
    ])
  })

  test('are asked for when berths live on AWS', () => {
    expect(refusalOf({ BERTH_BACKEND: 'lambda' }).message).toBe(
      'BERTH_CELLS: expected at least one cell with BERTH_BACKEND=lambda, got none; `berth init` prints the entry',
    )
  })

  test.each([
    ['not JSON', '{', 'expected a JSON list'],
    ['no list', '{}', 'at the top'],
    ['an empty list', '[]', 'at least one cell'],
    ['a Region that is none', '[{"name":"eu","region":"Europe"}]', 'at 0.region: expected a Region'],
    ['a name with capitals', '[{"name":"EU","region":"eu-west-1"}]', 'at 0.name'],
    ['an unknown field', '[{"name":"eu","region":"eu-west-1","colour":"red"}]', 'colour'],
    ['a role that is none', '[{"name":"eu","region":"eu-west-1","roleArn":"x"}]', 'at 0.roleArn'],
    ['a time-out above 900 s', '[{"name":"eu","region":"eu-west-1","functions":{"timeoutSeconds":901}}]', '1 to 900'],
    ['memory below 128', '[{"name":"eu","region":"eu-west-1","functions":{"memoryMiB":127}}]', '128 to 10240'],
    ['a retention that AWS lacks', '[{"name":"eu","region":"eu-west-1","functions":{"logRetentionDays":2}}]', '1, 3'],
    [
      'one name twice',
      '[{"name":"eu","region":"eu-west-1"},{"name":"eu","region":"eu-west-2"}]',
      'expected every cell once; twice there is eu',
    ],
    [
      'one place twice',
      '[{"name":"eu","region":"eu-west-1"},{"name":"eu2","region":"eu-west-1"}]',
      'twice there is deployment berth in eu-west-1',
    ],
  ])('are refused with what was expected: %s', (_name, value, expected) => {
    const { message } = refusalOf({ BERTH_BACKEND: 'lambda', BERTH_CELLS: value })

    expect(message).toMatch(/^BERTH_CELLS: /)
    expect(message).toContain(expected)
  })

  test('bound what a run may ask for: the least function less what Berth itself needs', () => {
    const small = { ...cell, name: 'small', deployment: 'small', functions: { timeoutSeconds: 60, memoryMiB: 900 } }

    const config = parseConfig(withCells([cell, small]))

    expect([config.maxTimeoutMs, config.maxMemoryMiB]).toEqual([50_000, 644])
  })

  test('take the longest run that Lambda allows, and not one second more', () => {
    const long = [{ ...cell, functions: { timeoutSeconds: 900 } }]

    expect(parseConfig(withCells(long, { BERTH_MAX_TIMEOUT_MS: '890000' })).maxTimeoutMs).toBe(890_000)
    expect(refusalOf(withCells(long, { BERTH_MAX_TIMEOUT_MS: '891000' })).message).toBe(
      'BERTH_MAX_TIMEOUT_MS: expected at most 890000 (the least functions.timeoutSeconds of BERTH_CELLS less 10 s), got 891000',
    )
  })

  test.each([
    ['BERTH_MAX_MEMORY_MIB', '769', {}],
    ['BERTH_MAX_DISK_BYTES', String(1025 * 1024 * 1024), {}],
    ['BERTH_SPARES', '6', { maxBerths: 5 }],
    ['BERTH_RUN_TIMEOUT_MS', '20001', { functions: { timeoutSeconds: 30 } }],
  ])('contradict %s=%s', (variable, value, more) => {
    expect(refusalOf(withCells([{ ...cell, ...more }], { [variable]: value })).message).toContain(
      `${variable}: expected`,
    )
  })

  test('bind nothing while berths live on this machine', () => {
    const config = parseConfig(withCells([cell], { BERTH_BACKEND: 'local' }))

    expect(config.maxTimeoutMs).toBe(900_000)
  })
})
