import type { BerthOwner } from '../../src/domain/berth-owner.ts'
import type { BerthId } from '../../src/domain/ids.ts'
import { ids } from './provisioning-site.ts'

/** A record as Berth writes it, of a tenant that nobody knows. */
export const ownerOf = (berthId: BerthId, changes: Partial<BerthOwner> = {}): BerthOwner => ({
  format: 1,
  berthId,
  tenantId: ids.tenantId(),
  externalKey: 'a'.repeat(64),
  state: 'active',
  claimedAt: '2026-01-01T00:00:00.000Z',
  ...changes,
})
