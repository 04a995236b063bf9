import { z } from 'zod'
import { berthIdSchema, tenantIdSchema } from './ids.ts'
import { MAX_EXTERNAL_ID_LENGTH } from './limits.ts'

const opaque = (least: number) =>
  z
    .string()
    .min(least)
    .max(MAX_EXTERNAL_ID_LENGTH)
    .refine((value) => value.isWellFormed() && !value.includes('\0'), 'expected well-formed Unicode without NUL')

/**
 * Who a tenant is to the identity provider. Opaque, any Unicode; compared unit by unit, so case twins are two tenants.
 * Never used raw in an AWS name, a path or a log.
 */
export const externalIdSchema = z
  .object({
    /** The identity project, for example the Firebase project id. */
    project: opaque(1),
    /** The tenant inside a multi-tenant identity project; empty for none. */
    identityTenant: opaque(0),
    uid: opaque(1),
  })
  .readonly()
export type ExternalId = z.infer<typeof externalIdSchema>

/** deleted is a tombstone: it keeps a late `user.created` from making the tenant again. */
export const tenantStateSchema = z.enum(['active', 'suspended', 'deprovisioning', 'deleted'])
export type TenantState = z.infer<typeof tenantStateSchema>

export const berthStateSchema = z.enum(['provisioning', 'ready', 'failed', 'deprovisioning', 'deleted'])
export type BerthState = z.infer<typeof berthStateSchema>

export const berthSchema = z
  .object({
    id: berthIdSchema,
    /** null for a spare. */
    tenantId: tenantIdSchema.nullable(),
    state: berthStateSchema,
    backend: z.string(),
    cell: z.string(),
    runnerVersion: z.int().nullable(),
    image: z.string().nullable(),
    /** Why the last try to make or delete it failed. */
    lastError: z.string().nullable(),
    createdAt: z.date(),
    readyAt: z.date().nullable(),
    claimedAt: z.date().nullable(),
  })
  .readonly()
export type Berth = z.infer<typeof berthSchema>

/** What a deprovision removed and then looked for and did not find. */
export const receiptSchema = z
  .object({
    tenantId: tenantIdSchema,
    berthIds: z.array(berthIdSchema),
    deleted: z.array(z.object({ kind: z.string(), name: z.string(), count: z.int().min(0) })),
    verifiedAbsent: z.array(z.object({ kind: z.string(), name: z.string() })),
    finishedAt: z.iso.datetime(),
  })
  .readonly()
export type Receipt = z.infer<typeof receiptSchema>

export const tenantSchema = z
  .object({
    id: tenantIdSchema,
    /** null once deleted: the tombstone keeps only a hash. */
    externalId: externalIdSchema.nullable(),
    state: tenantStateSchema,
    createdAt: z.date(),
    deletedAt: z.date().nullable(),
    receipt: receiptSchema.nullable(),
  })
  .readonly()
export type Tenant = z.infer<typeof tenantSchema>
