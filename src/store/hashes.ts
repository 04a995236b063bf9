import { createHash } from 'node:crypto'
import type { ExternalId } from '../domain/tenant.ts'

/** JSON keeps the parts apart: ["a","b"] and ["ab",""] never meet. */
const hash = (parts: readonly string[]): string => createHash('sha256').update(JSON.stringify(parts)).digest('hex')

export const externalKeyOf = ({ project, identityTenant, uid }: ExternalId): string =>
  hash([project, identityTenant, uid])

/** Providers number their events per project; a deletion may carry the id of the creation. */
export const eventKeyOf = (kind: 'sign-up' | 'deletion', project: string, eventId: string): string =>
  hash([kind, project, eventId])

/** Callers choose idempotency keys freely; the hash has one size and no character that a database refuses. */
export const idempotencyKeyHash = (key: string): string => hash([key])
