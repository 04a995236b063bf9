import type { Kysely } from 'kysely'
import { BerthError } from '../domain/errors.ts'
import type { TenantId } from '../domain/ids.ts'
import type { Tables } from './tables.ts'

/** Providers retry for a day or so; after this a repeated event still finds its tenant or the tombstone. */
export const EVENT_RETENTION_MS = 30 * 24 * 60 * 60 * 1000

interface Arrival {
  readonly key: string
  readonly tenantId: TenantId
  readonly now: Date
}

/**
 * True when the event is new. One id for two users is a mistake of the sender: it is refused aloud, since taking it for
 * a repetition would lose the second user in silence.
 * @throws {BerthError} conflict
 */
export const recordEvent = async (db: Kysely<Tables>, { key, tenantId, now }: Arrival): Promise<boolean> => {
  const inserted = await db
    .insertInto('events')
    .values({ event_key: key, tenant_id: tenantId, received_at: now.getTime() })
    .onConflict((conflict) => conflict.column('event_key').doNothing())
    .returning('event_key')
    .executeTakeFirst()
  if (inserted !== undefined) return true
  const known = await db.selectFrom('events').select('tenant_id').where('event_key', '=', key).executeTakeFirst()
  if (known !== undefined && known.tenant_id !== tenantId)
    throw new BerthError(
      'conflict',
      'The event id was used before for another user; expected an id that is unique per event',
      { data: { tenantId, firstTenantId: known.tenant_id } },
    )
  return false
}
