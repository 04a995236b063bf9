import { z } from 'zod'
import { ignored, type ProviderEvent, type ReadProviderEvent, readShape, uidSchema } from './provider-event.ts'

const authHook = z.object({ metadata: z.object({ name: z.string() }), user: z.object({}) })
const change = z.object({ type: z.enum(['INSERT', 'UPDATE', 'DELETE']), schema: z.string(), table: z.string() })
const row = z.object({
  id: uidSchema,
  email_confirmed_at: z.string().nullish(),
  is_anonymous: z.boolean().nullish(),
  deleted_at: z.string().nullish(),
})

/**
 * Database webhooks on auth.users, which come after the row is there.
 * @see https://supabase.com/docs/guides/database/webhooks checked 2026-11-22
 */
export const readSupabaseEvent: ReadProviderEvent = (body) => {
  // A refusal would turn away whoever signs up; obeying would make berths of users who never come to exist.
  if (authHook.safeParse(body).success)
    return ignored('an Auth hook, which comes before the user exists; use a database webhook on auth.users')
  const { type, schema, table } = readShape(change, body)
  if (schema !== 'auth' || table !== 'users') return ignored('a table other than auth.users')
  if (type === 'DELETE') return wentAway(readShape(z.object({ old_record: row }), body).old_record)
  const { record } = readShape(z.object({ record: row }), body)
  if (type === 'INSERT')
    return record.is_anonymous === true ? ignored('an anonymous user') : cameToBe(record, 'inserted')
  return readUpdate(record, readShape(z.object({ old_record: row }), body).old_record)
}

type Row = z.output<typeof row>

const readUpdate = (record: Row, before: Row): ProviderEvent => {
  // `deleteUser(id, true)` leaves the row, for good: nobody can sign in by it any more.
  if (isMarked(record)) return isMarked(before) ? ignored('a change of a deleted user') : wentAway(record)
  if (record.is_anonymous === true) return ignored('an anonymous user')
  const changed = confirmed(record) && (!confirmed(before) || before.is_anonymous === true)
  return changed ? cameToBe(record, 'confirmed') : ignored('a change that does not concern Berth')
}

const isMarked = ({ deleted_at: at }: Row): boolean => at !== null && at !== undefined

const confirmed = ({ email_confirmed_at: at }: Row): boolean => at !== null && at !== undefined

const wentAway = ({ id }: Row): ProviderEvent => ({
  type: 'user.deleted',
  uid: id,
  emailVerified: false,
  eventId: `deleted:${id}`,
})

const cameToBe = (record: Row, how: string): ProviderEvent => ({
  type: 'user.created',
  uid: record.id,
  emailVerified: confirmed(record),
  eventId: `${how}:${record.id}`,
})
