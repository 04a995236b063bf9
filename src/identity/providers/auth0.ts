import { z } from 'zod'
import { ignored, type ReadProviderEvent, readShape, uidSchema } from './provider-event.ts'

const envelope = z.object({ type: z.string(), id: z.string().regex(/^[\x21-\x7e]{1,255}$/) })
const user = z.object({
  data: z.object({ object: z.object({ user_id: uidSchema, email_verified: z.boolean().optional() }) }),
})

/** Events of an event stream. Their documentation writes the type with and without `com.auth0.`.
 * @see https://auth0.com/docs/customize/events/event-types checked 2026-11-22 */
export const readAuth0Event: ReadProviderEvent = (body) => {
  const { type: full, id: eventId } = readShape(envelope, body)
  const type = full.replace(/^com\.auth0\./, '')
  if (type !== 'user.created' && type !== 'user.deleted')
    return ignored('another event than user.created and user.deleted')
  const { user_id: uid, email_verified: emailVerified = false } = readShape(user, body).data.object
  return { type, uid, emailVerified, eventId }
}
