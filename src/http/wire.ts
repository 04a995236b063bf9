import { z } from 'zod'
import { errorTable, type ErrorCode } from '../domain/error-table.ts'
import { berthIdSchema, keyIdSchema, runIdSchema, tenantIdSchema } from '../domain/ids.ts'
import { runLimitsSchema } from '../domain/limits.ts'
import { artifactSchema, languageSchema, runRequestSchema, runSchema, runStatusSchema } from '../domain/run.ts'
import { berthStateSchema, externalIdSchema, receiptSchema, tenantStateSchema } from '../domain/tenant.ts'

/** Shapes that travel. The ones that come in are checked with these; the ones that go out are described by them. */
export const runWire = runSchema.meta({ id: 'Run', description: 'One execution of code for one tenant.' })
export const artifactWire = artifactSchema.meta({ id: 'Artifact', description: 'A file that a run wrote to outputs/.' })
export const receiptWire = receiptSchema.meta({
  id: 'Receipt',
  description: 'What a deletion removed, then looked for and did not find.',
})
export const runRequestWire = runRequestSchema.meta({ id: 'RunRequest', description: 'Code to run.' })

const dateTime = z.iso.datetime()

export const fileWire = z
  .object({ name: z.string(), bytes: z.int().min(0), modifiedAt: dateTime, sha256: z.string().nullable() })
  .meta({ id: 'File', description: 'A file of the tenant; a run that names it finds it in its working directory.' })

export const berthWire = z
  .object({
    id: berthIdSchema,
    state: berthStateSchema,
    backend: z.string(),
    cell: z.string(),
    runnerVersion: z.int().nullable().meta({
      description:
        'Of `image`. Both as the last listing of the fleet showed them, else as the berth had them when it became ready; null when nobody knows.',
    }),
    image: z.string().nullable(),
    lastError: z.string().nullable(),
    createdAt: dateTime,
    readyAt: dateTime.nullable(),
    claimedAt: dateTime.nullable(),
  })
  .meta({ id: 'Berth', description: 'What one tenant has to run code in.' })

const externalIdShape = externalIdSchema.unwrap().shape

export const externalIdWire = z
  .object(externalIdShape)
  .meta({ id: 'ExternalId', description: 'Who the tenant is to the identity provider. Any Unicode.' })

export const newTenantWire = z
  .strictObject({ ...externalIdShape, identityTenant: externalIdShape.identityTenant.default('') })
  .meta({ id: 'NewTenant', description: 'Who the tenant is to the identity provider.' })

export const tenantLookupWire = z
  .strictObject({
    project: externalIdShape.project,
    identityTenant: externalIdShape.identityTenant.default(''),
    uids: z.array(externalIdShape.uid).min(1).max(100),
  })
  .meta({ id: 'TenantLookup', description: 'Users of one identity project, or of one tenant in it.' })

export const tenantsFoundWire = z
  .object({
    tenants: z.array(z.object({ uid: externalIdShape.uid, id: tenantIdSchema, state: tenantStateSchema })),
    provisionOn: z.enum(['sign_up', 'verified_email', 'first_run']),
  })
  .meta({
    id: 'TenantsFound',
    description: 'Those of them who have a tenant or had one, and what makes a berth on this server.',
  })

export const tenantWire = z
  .object({
    id: tenantIdSchema,
    externalId: externalIdWire.nullable(),
    state: tenantStateSchema,
    berth: berthWire.nullable(),
    createdAt: dateTime,
    deletedAt: dateTime.nullable(),
  })
  .meta({ id: 'Tenant', description: 'A user who owns a berth, as operators see it.' })

export const moveWire = z
  .strictObject({
    to: z.enum(['lambda', 'lambda-shared']).meta({ description: 'The backend on which the new berth is made.' }),
    deleteFiles: z
      .boolean()
      .default(false)
      .meta({ description: 'Files do not move. Without this a tenant that has any is not moved.' }),
  })
  .meta({ id: 'Move', description: 'A tenant gets a berth on another backend.' })

export const limitsWire = z
  .object({
    run: runLimitsSchema,
    maxTimeoutMs: z.int(),
    maxMemoryMiB: z.int(),
    ratePerMinute: z.int(),
    concurrency: z.int(),
    queue: z.int(),
    maxFileBytes: z.int(),
    maxTenantBytes: z.int(),
  })
  .meta({ id: 'Limits', description: 'What a run has by default, and what a tenant may use at most.' })
export type Limits = z.infer<typeof limitsWire>

export const meWire = z
  .object({
    caller: z.enum(['operator', 'service', 'user']),
    tenant: z.object({ id: tenantIdSchema, state: tenantStateSchema, createdAt: dateTime }).nullable(),
    berth: z
      .object({
        id: berthIdSchema,
        state: berthStateSchema,
        runnerVersion: z.int().nullable().meta({ description: 'When it became ready. Each run says what ran it.' }),
        readyAt: dateTime.nullable(),
      })
      .nullable(),
    limits: limitsWire,
    usedBytes: z.int().min(0),
    running: z.array(
      z.object({ id: runIdSchema, status: runStatusSchema, language: languageSchema, createdAt: dateTime }),
    ),
  })
  .meta({ id: 'Me', description: 'Who is calling, for which tenant, and what that tenant has.' })

export const runtimesWire = z
  .object({
    languages: z.array(
      z.object({ language: languageSchema, version: z.string(), packages: z.record(z.string(), z.string()) }),
    ),
    runner: z.object({ version: z.int(), image: z.string(), level: z.string() }),
    warnings: z.array(z.string()),
    capabilities: z.object({
      streamsOutput: z.boolean(),
      cancels: z.boolean(),
      files: z.boolean(),
      maxConcurrency: z.int(),
    }),
    limits: limitsWire,
  })
  .meta({ id: 'Runtimes', description: 'Languages, versions, packages and limits.' })

const keyShape = {
  id: keyIdSchema,
  name: z.string(),
  role: z.enum(['operator', 'service']),
  project: z.string().nullable(),
  createdAt: dateTime,
  lastUsedAt: dateTime.nullable(),
  revokedAt: dateTime.nullable(),
}
export const keyWire = z.object(keyShape).meta({ id: 'Key', description: 'A key, without its secret.' })
export const newKeyAnswerWire = z
  .object({ ...keyShape, secret: z.string() })
  .meta({ id: 'NewKeyAnswer', description: 'The only answer that ever contains the secret.' })
export const newKeyWire = z
  .strictObject({
    name: z.string().trim().min(1).max(100),
    role: z.enum(['operator', 'service']).default('service'),
    project: z.string().min(1).max(128).optional(),
  })
  .refine(({ role, project }) => (role === 'service') === (project !== undefined), {
    path: ['project'],
    message: 'expected a project for the role "service" and none for "operator"',
  })
  .meta({ id: 'NewKey', description: 'A service key acts for the tenants of one identity project.' })

export const hookWire = z
  .strictObject({
    type: z.enum(['user.created', 'user.deleted']),
    timestamp: z.union([z.string(), z.number()]).optional(),
    data: z.strictObject({
      ...externalIdShape,
      identityTenant: externalIdShape.identityTenant.default(''),
      emailVerified: z
        .boolean()
        .default(false)
        .meta({ description: 'With BERTH_PROVISION_ON=verified_email only such a user gets a berth. No address.' }),
    }),
  })
  .meta({ id: 'IdentityHook', description: 'A user of the identity project came or went.' })
export const hookAnswerWire = z
  .object({
    tenantId: tenantIdSchema.nullable().meta({ description: 'Null when nothing is recorded.' }),
    outcome: z
      .enum(['created', 'existing', 'tombstone', 'deleting', 'deferred', 'ignored'])
      .meta({ description: 'deferred: the first run makes the berth. ignored: the event does not concern Berth.' }),
  })
  .meta({ id: 'IdentityHookAnswer' })

const imageWire = z.object({ image: z.string(), version: z.int() })

export const fleetWire = z
  .object({
    data: z.array(
      z.object({
        cell: z.string(),
        wanted: imageWire.nullable().meta({ description: 'New berths get it. Null before the first image.' }),
        candidate: imageWire.nullable().meta({ description: 'On its way: the first waves have it.' }),
        previous: imageWire.nullable().meta({ description: 'What a rollback goes back to.' }),
        fence: z.int().meta({ description: 'The oldest runner version that may execute a run.' }),
        held: z.string().nullable().meta({ description: 'Why no rollout goes on.' }),
        changedBy: z.string().nullable(),
        pins: z.array(z.object({ berthId: berthIdSchema, image: z.string(), reason: z.string(), until: dateTime })),
        updatesFailed: z.int().meta({
          description:
            'Berths that the last rollout to the present target could not update. The commonest reasons stand with the laggards, up to eight berths each, until a rollout has brought them there.',
        }),
        listed: z
          .object({
            at: dateTime,
            ageSeconds: z.int(),
            berths: z.int(),
            images: z.array(z.object({ image: z.string(), version: z.int().nullable(), berths: z.int() })),
            laggards: z.array(z.object({ berthId: berthIdSchema, reason: z.string() })),
            laggardsTotal: z.int(),
          })
          .nullable()
          .meta({ description: 'What the berths run, from a listing of that age; null until the first has ended.' }),
        problem: z.string().nullable().meta({ description: 'Why something is missing or old.' }),
      }),
    ),
  })
  .meta({ id: 'Fleet', description: 'By cell: what the berths run against what is wanted.' })

export const rolloutRequestWire = z
  .strictObject({
    dryRun: z.boolean().default(false).meta({ description: 'Only tell the waves.' }),
    fence: z
      .int()
      .min(0)
      .nullable()
      .default(null)
      .meta({ description: 'The oldest runner version that may execute a run once it is done; null leaves it.' }),
  })
  .meta({ id: 'RolloutRequest' })
export const fenceRequestWire = z
  .strictObject({ version: z.int().min(0).meta({ description: 'The oldest runner version that may execute a run.' }) })
  .meta({ id: 'FenceRequest' })
export const fenceWire = imageWire
  .extend({ fence: z.int() })
  .meta({ id: 'Fence', description: 'The runner that is wanted, and the oldest version that may execute a run.' })
export const rolloutWire = z
  .object({
    state: z.enum(['planned', 'done', 'some_failed', 'held', 'superseded', 'halted', 'rolled_back']),
    reason: z.string().nullable().meta({ description: 'Why it stopped; null when it did not.' }),
    target: imageWire,
    berths: z.int(),
    updated: z.int(),
    gone: z.int().meta({ description: 'Deleted while it went on.' }),
    waves: z.array(z.object({ name: z.string(), berths: z.int() })),
    images: z.record(z.string(), z.int()).meta({ description: 'Berths by the image that their next run gets.' }),
    failed: z.array(z.object({ berthId: berthIdSchema, reason: z.string() })),
    pinned: z.array(z.object({ berthId: berthIdSchema, image: z.string(), reason: z.string(), until: dateTime })),
  })
  .meta({ id: 'Rollout', description: 'How a rollout ended.' })

export const reconcileRequestWire = z
  .strictObject({
    apply: z.boolean().default(false),
    rebuild: z
      .boolean()
      .default(false)
      .meta({ description: 'Make rows of berths that have none: the store was lost, or is an older copy.' }),
    deep: z
      .boolean()
      .default(false)
      .meta({ description: 'Look at the settings, rights and owner’s record of each berth as well.' }),
  })
  .meta({ id: 'ReconcileRequest' })
export const reconcileReportWire = z
  .object({
    applied: z.boolean(),
    resources: z.int(),
    rows: z.int(),
    tenants: z.int(),
    findings: z.array(
      z.object({
        kind: z.enum([
          'orphan',
          'missing',
          'half_made',
          'half_deleted',
          'unowned',
          'no_berth',
          'not_suspended',
          'not_resumed',
          'lost_row',
          'unknown_owner',
          'disputed',
          'unrecorded',
          'drifted',
        ]),
        berthId: berthIdSchema.nullable(),
        tenantId: tenantIdSchema.nullable(),
        action: z.enum([
          'destroy',
          'provision',
          'deprovision',
          'wait',
          'suspend',
          'resume',
          'adopt',
          'operator',
          'record',
          'upgrade',
        ]),
        done: z.boolean(),
        error: z.string().nullable(),
        detail: z.string().optional().meta({ description: 'What differs, where the kind does not say it all.' }),
      }),
    ),
  })
  .meta({ id: 'ReconcileReport', description: 'Where rows and resources differ, and what closes the gap.' })

/** One event of a stream: OpenAPI 3.1 has no word for a sequence of them. */
export const serverSentEventWire = z
  .object({ id: z.string(), event: z.string(), data: z.string() })
  .partial()
  .required({ data: true })
  .meta({ id: 'ServerSentEvent' })

export const problemWire = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string(),
    code: z.enum(Object.keys(errorTable) as [ErrorCode, ...ErrorCode[]]),
    category: z.enum(['user', 'limit', 'policy', 'platform', 'caller']),
    retryable: z.boolean(),
    remedy: z.string(),
    requestId: z.string(),
    errors: z.array(z.object({ pointer: z.string(), detail: z.string() })),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details.' })

export const pageOf = (entry: z.ZodType) => z.object({ data: z.array(entry), nextCursor: z.string().nullable() })

export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z.string().min(1).max(1024).optional(),
}
