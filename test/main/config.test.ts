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
