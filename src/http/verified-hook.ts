import { BerthError, isBerthError } from '../domain/errors.ts'
import type { HookDoor } from '../identity/hook-door.ts'
import { tooManyFailures } from './authenticate.ts'
import type { HttpDeps } from './http-deps.ts'
import { assertJson, parseForeignJson, parseJson, readBody } from './read-body.ts'
import { createLargeBodies } from './large-bodies.ts'
import type { RequestContext } from './request-context.ts'
import { sourceOf, type SourceLimiter } from './source-limiter.ts'

const TIMEOUT_MS = 10_000

interface HookForm {
  readonly maxBytes: number
  readonly parse: (raw: Buffer) => unknown
}

const SMALL_BYTES = 64 * 1024

/** Nothing but ids. */
export const ownForm: HookForm = { maxBytes: SMALL_BYTES, parse: parseJson }

/**
 * A provider passes on what users wrote into their own metadata. Whatever they put there, the word that they were deleted must come
 * through, so neither its names nor its depth is judged, and there is room for it.
 */
export const providerForm: HookForm = { maxBytes: 256 * 1024, parse: parseForeignJson }

export interface VerifiedHook {
  readonly body: unknown
  readonly eventId: string | null
}

export interface HookSender {
  readonly door: HookDoor
  readonly form: HookForm
}

/**
 * What a hook says, once its door let it in. Strangers are counted and slowed down by their address; a good proof passes however many
 * bad ones came from there, so that a stranger behind the same proxy or address cannot shut the hook.
 */
export const createHookReader = ({ clock }: Pick<HttpDeps, 'clock'>, strangers: SourceLimiter) => {
  const largeBodies = createLargeBodies()
  return async ({ door, form }: HookSender, { request }: RequestContext): Promise<VerifiedHook> => {
    const source = sourceOf(request.ip)
    const waitSeconds = strangers.waitSeconds(source)
    assertJson(request)
    const read = () => readBody(request, { maxBytes: form.maxBytes, timeoutMs: TIMEOUT_MS })
    const isSmall = form.maxBytes <= SMALL_BYTES || Number(request.get('content-length')) <= SMALL_BYTES
    const raw = await (isSmall ? read() : largeBodies.within(source, read))
    const { eventId } = await door
      .verify({ body: raw, header: (name) => request.get(name), now: clock.now() })
      .catch((error: unknown) => {
        if (!isBerthError(error) || error.code !== 'unauthenticated') throw error
        strangers.take(source)
        throw waitSeconds > 0 ? tooManyFailures(waitSeconds) : error
      })
    return { body: form.parse(raw), eventId }
  }
}

export type HookReader = ReturnType<typeof createHookReader>

export const hookClosed = (): BerthError =>
  new BerthError(
    'not_found',
    'The sign-up hook is closed: this server has neither BERTH_HOOK_SECRETS nor BERTH_HOOK_GOOGLE.',
  )
