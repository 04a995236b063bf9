import { z } from 'zod'
import { defaultRunLimits, MAX_TIMEOUT_MS } from '../domain/limits.ts'
import { isKeySecret } from '../identity/key-secret.ts'
import { oidcIssuerSchema, type OidcIssuer } from '../identity/oidc-issuer.ts'
import { CELL_SHAPE, parseCells, type CellSetting } from './cell-setting.ts'
import { firebaseSettings } from './firebase-settings.ts'
import { hookSettings } from './hook-settings.ts'
import { onOff, oneOf, parsedText, text, wholeNumber } from './setting.ts'

const MIB = 1024 * 1024
const GIB = 1024 * MIB

const limit = (name: keyof typeof defaultRunLimits, bounds: { min: number; max: number; reason: string }) =>
  wholeNumber({ default: defaultRunLimits[name], ...bounds })

const server = {
  BERTH_HOST: text('127.0.0.1', 'an address of this machine', 'Address to listen on; only this machine by default.'),
  BERTH_PORT: wholeNumber({ default: 8787, min: 0, max: 65_535, reason: 'Port to listen on; 0 takes any free one.' }),
  BERTH_DATA_DIR: text('.berth', 'a folder', 'Folder of the embedded store, of tenant files and of operator.key.'),
  DATABASE_URL: parsedText<string | null>({
    expected: 'postgres://user:password@host:port/database',
    reason: 'Postgres server that several Berth processes share; without it the store is SQLite in BERTH_DATA_DIR.',
    absent: null,
    absentText: 'SQLite',
    secret: true,
    parse: (url) => (/^postgres(ql)?:\/\/./.test(url) ? { value: url } : 'expected postgres:// or postgresql://'),
  }),
  BERTH_BACKEND: oneOf(
    ['local', 'lambda', 'lambda-shared'],
    'local',
    'Where berths live: on this machine; in the cells of BERTH_CELLS each as an AWS Lambda function of its own; or there all in one function in tenant isolation mode, without files.',
  ),
  BERTH_TRUST_PROXY_HOPS: wholeNumber({
    default: 0,
    min: 0,
    max: 10,
    reason: 'Reverse proxies in front, whose X-Forwarded-For tells the source address; 0 trusts no such header.',
  }),
  BERTH_SHUTDOWN_SECONDS: wholeNumber({
    default: 30,
    min: 0,
    max: 900,
    reason: 'How long a stopping server lets running runs finish.',
  }),
  BERTH_LOG_LEVEL: oneOf(
    ['debug', 'info', 'warn', 'error', 'silent'],
    'info',
    'Least level of log lines, one JSON object each, on standard output.',
  ),
}

const identity = {
  BERTH_OPERATOR_KEY: parsedText<string | null>({
    expected: '"berth_" and 32 lower-case base32 characters',
    reason: 'First operator key; without it the first start writes one to BERTH_DATA_DIR/operator.key.',
    absent: null,
    absentText: 'a file',
    secret: true,
    parse: (key) => (isKeySecret(key) ? { value: key } : 'expected "berth_" and 32 lower-case base32 characters'),
  }),
  ...hookSettings,
  BERTH_OIDC_ISSUERS: parsedText<readonly OidcIssuer[]>({
    expected: 'JSON list of {project, issuer, audience, jwksUri?, tenantClaim?}',
    reason:
      "Issuers whose ID tokens end users may call with (RS256 or ES256); the subject is the tenant's uid, so each issuer has a project of its own.",
    absent: [],
    absentText: '[]',
    parse: (json) => parseIssuers(json),
  }),
  ...firebaseSettings,
}

const parseIssuers = (json: string): { readonly value: readonly OidcIssuer[] } | string => {
  let list: unknown
  try {
    list = JSON.parse(json)
  } catch {
    return 'expected JSON'
  }
  const parsed = z.array(oidcIssuerSchema).max(32).safeParse(list)
  if (parsed.success) return { value: parsed.data }
  const [issue] = parsed.error.issues
  return `expected a list of {project, issuer, audience, jwksUri?, tenantClaim?}; at ${issue?.path.join('.') || 'the top'}: ${issue?.message}`
}

const tenants = {
  BERTH_PROVISION_ON: oneOf(
    ['sign_up', 'verified_email', 'first_run'],
    'sign_up',
    'When a berth is made: at the sign-up hook; at a hook or call of a user whose e-mail address is verified; or at the first run only.',
  ),
  BERTH_SIGN_UPS_PER_MINUTE: wholeNumber({
    default: 600,
    min: 1,
    max: 1_000_000,
    reason:
      'New tenants of one identity project per minute and server process, by hook or by first run; then Retry-After.',
  }),
  BERTH_MAX_BERTHS_PER_PROJECT: wholeNumber({
    default: 1_000_000,
    min: 1,
    max: 1_000_000,
    reason:
      'Berths that the tenants of one identity project may have, so that a flood at one does not take the room of all.',
  }),
  BERTH_SPARES: wholeNumber({ default: 2, min: 0, max: 1000, reason: 'Ready berths that wait for the next sign-ups.' }),
  BERTH_MAX_BERTHS: wholeNumber({
    default: 10_000,
    min: 1,
    max: 1_000_000,
    reason: 'Berths that may exist, spares included; sign-up is open to the internet.',
  }),
  BERTH_RATE_PER_MINUTE: wholeNumber({
    default: 600,
    min: 1,
    max: 1_000_000,
    reason: 'Runs that one tenant may start per minute.',
  }),
  BERTH_CONCURRENCY_PER_TENANT: wholeNumber({
    default: 4,
    min: 1,
    max: 1000,
    reason: 'Runs of one tenant that execute at once.',
  }),
  BERTH_QUEUE_PER_TENANT: wholeNumber({
    default: 100,
    min: 0,
    max: 100_000,
    reason: 'Runs of one tenant that may wait for their turn; also bounds calls that wait for a new berth.',
  }),
  BERTH_RUN_RETENTION_DAYS: wholeNumber({
    default: 30,
    min: 1,
    max: 3650,
    reason: 'Days after which finished runs and their artifacts are deleted.',
  }),
  BERTH_MAX_FILE_BYTES: wholeNumber({
    default: 100 * MIB,
    min: 1,
    max: 5 * GIB,
    reason: 'Size of one file of a tenant.',
  }),
  BERTH_MAX_TENANT_BYTES: wholeNumber({
    default: GIB,
    min: 1,
    max: 1024 * GIB,
    reason: 'All files of one tenant together.',
  }),
}

const runs = {
  BERTH_RUN_TIMEOUT_MS: limit('timeoutMs', {
    min: 1,
    max: MAX_TIMEOUT_MS,
    reason: 'Time of a run that asks for none.',
  }),
  BERTH_MAX_TIMEOUT_MS: wholeNumber({
    default: MAX_TIMEOUT_MS,
    min: 1,
    max: MAX_TIMEOUT_MS,
    reason: "Most time that a run may ask for; Lambda's own maximum is 900 s.",
  }),
  BERTH_RUN_MEMORY_MIB: limit('memoryMiB', { min: 64, max: 10_240, reason: 'Memory of a run that asks for none.' }),
  BERTH_MAX_MEMORY_MIB: wholeNumber({
    default: 2048,
    min: 64,
    max: 10_240,
    reason: "Most memory that a run may ask for; Lambda's own maximum is 10,240 MiB.",
  }),
  BERTH_MAX_SOURCE_BYTES: limit('maxSourceBytes', {
    min: 1,
    max: 5 * MIB,
    reason: 'UTF-8 bytes of the source of a run.',
  }),
  BERTH_MAX_PAYLOAD_BYTES: limit('maxPayloadBytes', {
    min: 1024,
    max: 5.5 * MIB,
    reason: 'Body of a request for a run; Lambda takes 6 MB with everything around it.',
  }),
  BERTH_MAX_RESULT_BYTES: limit('maxResultBytes', { min: 1, max: 5 * MIB, reason: 'Results of a run in its answer.' }),
  BERTH_MAX_OUTPUT_BYTES: limit('maxOutputBytes', {
    min: 0,
    max: 5 * MIB,
    reason: 'stdout and stderr of a run together.',
  }),
  BERTH_MAX_INLINE_ARTIFACT_BYTES: limit('maxInlineArtifactBytes', {
    min: 0,
    max: 5 * MIB,
    reason: "Artifacts inside a run's answer; larger ones are fetched one by one.",
  }),
  BERTH_MAX_ARTIFACT_BYTES: limit('maxArtifactBytes', { min: 0, max: 10 * GIB, reason: 'All artifacts of a run.' }),
  BERTH_MAX_ARTIFACTS: limit('maxArtifacts', { min: 0, max: 10_000, reason: 'Number of artifacts of a run.' }),
  BERTH_MAX_DISK_BYTES: limit('maxDiskBytes', {
    min: MIB,
    max: 10 * GIB,
    reason: 'What a run may have on disk at once: its folder and temporary files.',
  }),
  BERTH_MAX_PROCESSES: limit('maxProcesses', { min: 1, max: 1024, reason: 'Processes and threads of a run.' }),
}

const local = {
  BERTH_PYTHON: parsedText<string | null>({
    expected: "the path of a Python 3.11 or newer that has the runner's libraries",
    reason: 'Python that the runner works with; needed where Berth is installed as a package.',
    absent: null,
    absentText: '.venv/bin/python',
    parse: (path) => ({ value: path }),
  }),
  BERTH_LOCAL_SPARES: wholeNumber({
    default: 2,
    min: 0,
    max: 64,
    reason: 'Built Python sandboxes that wait for the next runs, about 1.4 MB each.',
  }),
  BERTH_LOCAL_NODE_SPARES: wholeNumber({
    default: 1,
    min: 0,
    max: 64,
    reason: 'Warm one-use Node sandboxes that wait for the next TypeScript runs.',
  }),
  BERTH_LOCAL_UNSAFE: onOff(
    'Runs code with no sandbox where this machine cannot build one. For trying out only: every answer warns.',
  ),
}

const cells = {
  BERTH_CELLS: parsedText<readonly CellSetting[]>({
    expected: `JSON list of ${CELL_SHAPE}`,
    reason:
      'AWS accounts and Regions that hold berths, with BERTH_BACKEND=lambda or lambda-shared; `berth init` prints the entry.',
    absent: [],
    absentText: '[]',
    parse: parseCells,
  }),
}

/** Groups as the documentation shows them. */
export const settingGroups = { server, identity, tenants, runs, local, cells }

/** Every variable that the server reads, as text on the way in. */
export const environmentSchema = z.object({ ...server, ...identity, ...tenants, ...runs, ...local, ...cells })
export type Environment = z.output<typeof environmentSchema>
