import { z } from 'zod'
import { ignored, type ReadProviderEvent, readShape, uidSchema } from './provider-event.ts'

const envelope = z.object({ type: z.string() })
const created = z.object({
  data: z.object({
    id: uidSchema,
    primary_email_address_id: z.string().nullish(),
    email_addresses: z
      .array(z.object({ id: z.string(), verification: z.object({ status: z.string() }).nullish() }))
      .default([]),
  }),
})
const deleted = z.object({ data: z.object({ id: uidSchema }) })

/** @see https://clerk.com/docs/guides/development/webhooks/overview checked 2026-11-22 */
export const readClerkEvent: ReadProviderEvent = (body) => {
  const { type } = readShape(envelope, body)
  if (type === 'user.created') {
    const { id, primary_email_address_id: primary, email_addresses: addresses } = readShape(created, body).data
    const address = addresses.find((candidate) => candidate.id === primary)
    const emailVerified = address?.verification?.status === 'verified'
    return { type, uid: id, emailVerified, eventId: `${type}:${id}` }
  }
  if (type !== 'user.deleted') return ignored('another event than user.created and user.deleted')
  const { id } = readShape(deleted, body).data
  return { type, uid: id, emailVerified: false, eventId: `${type}:${id}` }
}
