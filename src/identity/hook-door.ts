import { createHash, timingSafeEqual } from 'node:crypto'
import { BerthError } from '../domain/errors.ts'
import { createHookSignature, type SignedHook } from './hook-signature.ts'

/** One way to prove who sent a hook. Each request is judged by one door, and passes it or is refused. */
export interface HookDoor {
  /**
   * The id of the event; null where the sender's scheme has none, so that it is made from the body.
   * @throws {BerthError} unauthenticated, identity_unavailable
   */
  verify(hook: SignedHook): Promise<{ readonly eventId: string | null }>
}

/** Standard Webhooks, also with the header names of Svix. */
export const createSignatureDoor = (secrets: readonly Buffer[]): HookDoor => {
  const signature = createHookSignature({ secrets })
  return { verify: async (hook) => signature.verify(hook) }
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** A bearer token that the operator chose, for senders that cannot sign. It proves the sender, not the body. */
export const createBearerDoor = (tokens: readonly string[]): HookDoor => {
  const known = tokens.map(digest)
  return {
    async verify({ header }) {
      const given = digest(bearerOf(header) ?? '')
      // Every token is compared, so that the time does not tell which one matched.
      const matches = known.filter((token) => timingSafeEqual(token, given))
      if (matches.length > 0) return { eventId: null }
      throw new BerthError('unauthenticated', 'The hook was refused: its bearer token is not a configured one.')
    },
  }
}

/** A request with a bearer token is judged by that alone: a signature beside it is no second chance. */
export const createEitherDoor = (signed: HookDoor, bearer: HookDoor): HookDoor => ({
  verify: (hook) => (hook.header('authorization') === undefined ? signed.verify(hook) : bearer.verify(hook)),
})

export const bearerOf = (header: SignedHook['header']): string | null =>
  /^Bearer +([\w.~+/=-]+)$/i.exec(header('authorization') ?? '')?.[1] ?? null
