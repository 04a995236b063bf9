import { z } from 'zod'
import { BerthError } from '../../domain/errors.ts'

/** What a provider's webhook says, in the words of Berth's own hook. The identity project is the source's. */
export type ProviderEvent =
  | {
      readonly type: 'user.created' | 'user.deleted'
      /** What the provider's tokens have as `sub`. */
      readonly uid: string
      readonly emailVerified: boolean
      /** For senders whose headers bring no id; the same for each delivery of one event. */
      readonly eventId: string
    }
  /** Answered as done, so that the sender does not repeat it. */
  | { readonly type: 'ignored'; readonly reason: string }

export type ReadProviderEvent = (body: unknown) => ProviderEvent

export const ignored = (reason: string): ProviderEvent => ({ type: 'ignored', reason })

/** Fields that Berth has no use for pass; those that it needs must be as the provider documents them. */
export const readShape = <T extends z.ZodType>(schema: T, body: unknown): z.output<T> => {
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  const errors = parsed.error.issues.map(({ path, message }) => ({
    pointer: `/${path.join('/')}`,
    detail: message,
  }))
  const [first] = errors
  throw new BerthError(
    'invalid_request',
    `The webhook is not shaped as its provider documents it; at ${first?.pointer ?? '/'}: ${first?.detail ?? 'not valid'}.`,
    { errors },
  )
}

export const uidSchema = z.string().min(1).max(128)
