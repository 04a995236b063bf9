import { z } from 'zod'
import { berthIdSchema, tenantIdSchema, type BerthId } from './ids.ts'

/** `left`: a move took the tenant to another berth, and this one is to go. */
const berthOwnerStateSchema = z.enum(['active', 'suspended', 'deprovisioning', 'left'])

/**
 * Whose a berth is, as it lies with the berth itself, so that the rows can be made again after the store is lost. It names the tenant by
 * hash only: whoever signs up again brings the external id along, and a copy of the bucket tells nobody's name.
 */
export const berthOwnerSchema = z
  .object({
    format: z.literal(1),
    /** A record that lies with another berth than it was written for is nobody's. */
    berthId: berthIdSchema,
    tenantId: tenantIdSchema,
    /** sha256 of the external id, the same that a tombstone keeps. */
    externalKey: z.string().regex(/^[0-9a-f]{64}$/),
    state: berthOwnerStateSchema,
    claimedAt: z.iso.datetime(),
  })
  .readonly()
export type BerthOwner = z.infer<typeof berthOwnerSchema>

export const writeOwner = (owner: BerthOwner): string => `${JSON.stringify(owner)}\n`

/** Null when no Berth wrote this for this berth. */
export const parseOwner = (text: string, berthId: BerthId): BerthOwner | null => {
  const { data } = berthOwnerSchema.safeParse(parseJson(text))
  return data?.berthId === berthId ? data : null
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
