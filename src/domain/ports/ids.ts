import type { BerthId, KeyId, RunId, TenantId } from '../ids.ts'

/** Random ids from a cryptographic source. */
export interface Ids {
  tenantId(): TenantId
  berthId(): BerthId
  runId(): RunId
  keyId(): KeyId
  /** 160 random bits as lower-case base32, for secrets and lease owners. */
  secret(): string
}
