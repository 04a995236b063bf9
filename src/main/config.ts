import { resolve } from 'node:path'
import type { z } from 'zod'
import { BerthError } from '../domain/errors.ts'
import type { RunLimits } from '../domain/limits.ts'
import { environmentSchema, type Environment } from './environment.ts'
import { firebaseContradictions } from './firebase-settings.ts'
import { nearestWord } from '../domain/nearest-word.ts'
import { hookContradictions } from './hook-settings.ts'
import { settingOf } from './setting.ts'

/** Read by the CLI and the client, so a server started from the same shell sees them too. */
const clientVariables = new Set(['BERTH_IDENTITY_TENANT', 'BERTH_KEY', 'BERTH_TENANT', 'BERTH_TOKEN', 'BERTH_URL'])

/**
 * Reads the configuration from environment variables, once.
 * @throws {BerthError} config_invalid with one entry in `errors` per variable
 */
export const parseConfig = (env: Readonly<Record<string, string | undefined>>) => {
  // An empty variable is what `X=` in an env file gives; it means "not set".
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''))
  const unknown = unknownVariables(set)
  const parsed = environmentSchema.safeParse(set)
  if (!parsed.success) throw configInvalid([...unknown, ...describeIssues(parsed.error, set)])
  const fitted = fitToCells(parsed.data, set)
  const problems = [...unknown, ...contradictions(fitted)]
  if (problems.length > 0) throw configInvalid(problems)
  return deepFreeze(toConfig(fitted))
}

export type Config = ReturnType<typeof toConfig>

const toConfig = (env: Environment) => ({
  host: env.BERTH_HOST,
  port: env.BERTH_PORT,
  dataDir: resolve(env.BERTH_DATA_DIR),
  databaseUrl: env.DATABASE_URL,
  backend: env.BERTH_BACKEND,
  trustProxyHops: env.BERTH_TRUST_PROXY_HOPS,
  shutdownMs: env.BERTH_SHUTDOWN_SECONDS * 1000,
  logLevel: env.BERTH_LOG_LEVEL,
  operatorKey: env.BERTH_OPERATOR_KEY,
  hookSecrets: env.BERTH_HOOK_SECRETS,
  hookGoogle: env.BERTH_HOOK_GOOGLE,
  hookSources: env.BERTH_HOOK_SOURCES,
  oidcIssuers: env.BERTH_OIDC_ISSUERS,
  firebase: env.BERTH_FIREBASE,
  maxFileBytes: env.BERTH_MAX_FILE_BYTES,
  maxTenantBytes: env.BERTH_MAX_TENANT_BYTES,
  spares: env.BERTH_SPARES,
  maxBerths: env.BERTH_MAX_BERTHS,
  maxBerthsPerProject: env.BERTH_MAX_BERTHS_PER_PROJECT,
  signUpsPerMinute: env.BERTH_SIGN_UPS_PER_MINUTE,
  provisionOn: env.BERTH_PROVISION_ON,
  ratePerMinute: env.BERTH_RATE_PER_MINUTE,
  concurrencyPerTenant: env.BERTH_CONCURRENCY_PER_TENANT,
  queuePerTenant: env.BERTH_QUEUE_PER_TENANT,
  runRetentionDays: env.BERTH_RUN_RETENTION_DAYS,
  runLimits: toRunLimits(env),
  maxTimeoutMs: env.BERTH_MAX_TIMEOUT_MS,
  maxMemoryMiB: env.BERTH_MAX_MEMORY_MIB,
  cells: env.BERTH_CELLS,
  local: {
    spares: env.BERTH_LOCAL_SPARES,
    nodeSpares: env.BERTH_LOCAL_NODE_SPARES,
    unsafe: env.BERTH_LOCAL_UNSAFE,
    ...(env.BERTH_PYTHON !== null && { python: resolve(env.BERTH_PYTHON) }),
  },
})

const toRunLimits = (env: Environment): RunLimits => ({
  timeoutMs: env.BERTH_RUN_TIMEOUT_MS,
  memoryMiB: env.BERTH_RUN_MEMORY_MIB,
  maxSourceBytes: env.BERTH_MAX_SOURCE_BYTES,
  maxPayloadBytes: env.BERTH_MAX_PAYLOAD_BYTES,
  maxResultBytes: env.BERTH_MAX_RESULT_BYTES,
  maxOutputBytes: env.BERTH_MAX_OUTPUT_BYTES,
  maxInlineArtifactBytes: env.BERTH_MAX_INLINE_ARTIFACT_BYTES,
  maxArtifactBytes: env.BERTH_MAX_ARTIFACT_BYTES,
  maxArtifacts: env.BERTH_MAX_ARTIFACTS,
  maxDiskBytes: env.BERTH_MAX_DISK_BYTES,
  maxProcesses: env.BERTH_MAX_PROCESSES,
})

interface Problem {
  readonly variable: string
  readonly detail: string
}

const isKnown = (name: string): boolean => Object.hasOwn(environmentSchema.shape, name) || clientVariables.has(name)

const unknownVariables = (env: Readonly<Record<string, string | undefined>>): readonly Problem[] => {
  const known = Object.keys(environmentSchema.shape)
  return Object.keys(env)
    .filter((name) => name.startsWith('BERTH_') && !isKnown(name))
    .map((variable) => {
      const near = nearestWord(variable, known)
      const hint = near === null ? 'take it out' : `did you mean ${near}?`
      return { variable, detail: `there is no such setting; ${hint}` }
    })
}

const describeIssues = (error: z.ZodError, env: Readonly<Record<string, string | undefined>>): readonly Problem[] =>
  error.issues.map(({ path, message }) => {
    const variable = String(path[0]) as keyof typeof environmentSchema.shape
    const { secret } = settingOf(environmentSchema.shape[variable])
    const got = secret === true ? 'a value that is not shown' : JSON.stringify(env[variable])
    const expected = message.startsWith('expected') ? message : `expected ${message}`
    return { variable, detail: `${expected}, got ${got}` }
  })

/** What a run on Lambda needs besides its code: files come before it, artifacts are stored after it. */
const FUNCTION_GRACE_MS = 10_000
/** The runner with numpy, pandas and matplotlib loaded, of which each run is a fork. */
const RUNNER_MIB = 256
const MIB = 1024 * 1024

const isOnAws = (env: Environment): boolean => env.BERTH_BACKEND !== 'local' && env.BERTH_CELLS.length > 0

/** The least of all cells, since a run may go to any of them. */
const leastOf = (env: Environment, field: 'timeoutSeconds' | 'memoryMiB' | 'ephemeralStorageMiB'): number =>
  Math.min(...env.BERTH_CELLS.map(({ functions }) => functions[field]))

const ceilingsOf = (env: Environment) => ({
  BERTH_MAX_TIMEOUT_MS: leastOf(env, 'timeoutSeconds') * 1000 - FUNCTION_GRACE_MS,
  BERTH_MAX_MEMORY_MIB: leastOf(env, 'memoryMiB') - RUNNER_MIB,
})

/** Ceilings that nobody set are those of the functions. */
const fitToCells = (env: Environment, set: Readonly<Record<string, string | undefined>>): Environment => {
  if (!isOnAws(env)) return env
  const unset = Object.entries(ceilingsOf(env)).filter(([variable]) => set[variable] === undefined)
  return { ...env, ...Object.fromEntries(unset) }
}

type NumberVariable = { [K in keyof Environment]: Environment[K] extends number ? K : never }[keyof Environment]

/** Settings that are fine alone and make no sense together. */
const contradictions = (env: Environment): readonly Problem[] => {
  const atMost = (low: NumberVariable, high: NumberVariable): readonly Problem[] =>
    env[low] <= env[high] ? [] : [{ variable: low, detail: `expected at most ${high} (${env[high]}), got ${env[low]}` }]
  return [
    ...atMost('BERTH_RUN_TIMEOUT_MS', 'BERTH_MAX_TIMEOUT_MS'),
    ...atMost('BERTH_RUN_MEMORY_MIB', 'BERTH_MAX_MEMORY_MIB'),
    ...atMost('BERTH_MAX_FILE_BYTES', 'BERTH_MAX_TENANT_BYTES'),
    ...atMost('BERTH_SPARES', 'BERTH_MAX_BERTHS'),
    ...hookContradictions(env),
    ...issuerContradictions(env),
    ...tenantsInOne(env),
    ...firebaseContradictions(env),
    ...cellContradictions(env),
  ]
}

/**
 * A subject is unique at its issuer only: whoever may choose theirs at one would be anybody of the other. And whom one audience calls
 * of an identity tenant and another of none would be two users, of whom a deletion reaches one.
 */
const issuerContradictions = ({ BERTH_OIDC_ISSUERS: issuers }: Environment): readonly Problem[] =>
  Map.groupBy(issuers, ({ project }) => project)
    .entries()
    .flatMap(([project, list]) => {
      const details = [
        new Set(list.map(({ issuer }) => issuer)).size > 1
          ? `expected one issuer in the project ${JSON.stringify(project)}, got several, whose users' ids could meet; give each a project of its own`
          : null,
        new Set(list.map(({ tenantClaim }) => tenantClaim)).size > 1
          ? `expected the same tenantClaim for each audience in the project ${JSON.stringify(project)}, got different ones, by which a user would be two`
          : null,
      ]
      return details.filter((detail) => detail !== null).map((detail) => ({ variable: 'BERTH_OIDC_ISSUERS', detail }))
    })
    .toArray()

/** All identity tenants of a Firebase project share issuer, audience and keys: without the claim a uid of one would be that of another. */
const tenantsInOne = ({ BERTH_OIDC_ISSUERS: issuers }: Environment): readonly Problem[] =>
  issuers
    .filter(({ issuer, tenantClaim }) => FIREBASE_ISSUER.test(issuer) && tenantClaim !== FIREBASE_TENANT)
    .map(({ project }) => ({
      variable: 'BERTH_OIDC_ISSUERS',
      detail: `expected tenantClaim ${JSON.stringify(FIREBASE_TENANT)} at an issuer of Firebase, got none or another in the project ${JSON.stringify(project)}; or use BERTH_FIREBASE, which has a list of tenants as well`,
    }))

const FIREBASE_ISSUER = /^https:\/\/securetoken\.google\.com\//
const FIREBASE_TENANT = 'firebase.tenant'

const cellContradictions = (env: Environment): readonly Problem[] => {
  if (env.BERTH_BACKEND === 'local') return []
  if (!isOnAws(env))
    return [
      {
        variable: 'BERTH_CELLS',
        detail: `expected at least one cell with BERTH_BACKEND=${env.BERTH_BACKEND}, got none; \`berth init\` prints the entry`,
      },
    ]
  const ceilings = ceilingsOf(env)
  const room = env.BERTH_CELLS.reduce((sum, { maxBerths }) => sum + maxBerths, 0)
  const disk = leastOf(env, 'ephemeralStorageMiB') * MIB
  return [
    ...fits(env, 'BERTH_MAX_TIMEOUT_MS', {
      most: ceilings.BERTH_MAX_TIMEOUT_MS,
      why: 'the least functions.timeoutSeconds of BERTH_CELLS less 10 s',
    }),
    ...fits(env, 'BERTH_MAX_MEMORY_MIB', {
      most: ceilings.BERTH_MAX_MEMORY_MIB,
      why: "the least functions.memoryMiB of BERTH_CELLS less the runner's 256",
    }),
    ...fits(env, 'BERTH_MAX_DISK_BYTES', { most: disk, why: 'the least functions.ephemeralStorageMiB of BERTH_CELLS' }),
    ...fits(env, 'BERTH_SPARES', { most: room, why: 'the sum of maxBerths of BERTH_CELLS' }),
  ]
}

const fits = (
  env: Environment,
  variable: NumberVariable,
  { most, why }: { most: number; why: string },
): readonly Problem[] =>
  env[variable] <= most ? [] : [{ variable, detail: `expected at most ${most} (${why}), got ${env[variable]}` }]

const configInvalid = (problems: readonly Problem[]): BerthError =>
  new BerthError('config_invalid', problems.map(({ variable, detail }) => `${variable}: ${detail}`).join('\n'), {
    errors: problems.map(({ variable, detail }) => ({ pointer: `/${variable}`, detail })),
  })

const deepFreeze = <T>(value: T): T => {
  // A Buffer's bytes cannot be frozen, and Object.freeze throws on it.
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value
  for (const inner of Object.values(value)) deepFreeze(inner)
  return Object.freeze(value)
}
