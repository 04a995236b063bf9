import { BerthError, isBerthError } from '../domain/errors.ts'
import type { HookDoor } from '../identity/hook-door.ts'
import { tooManyFailures } from './authenticate.ts'
import type { HttpDeps } from './http-deps.ts'
import { assertJson, parseJson, readBody } from './read-body.ts'
import type { RequestContext } from './request-context.ts'
import { sourceOf, type SourceLimiter } from './source-limiter.ts'

const MAX_HOOK_BYTES = 64 * 1024
const TIMEOUT_MS = 10_000

export interface VerifiedHook {
  readonly body: unknown
  readonly eventId: string | null
}

/** What a hook says, once its door let it in. Strangers are counted and slowed down by their address. */
export const createHookReader =
  ({ clock }: Pick<HttpDeps, 'clock'>, strangers: SourceLimiter) =>
  async (door: HookDoor, { request }: RequestContext): Promise<VerifiedHook> => {
    const source = sourceOf(request.ip)
    const waitSeconds = strangers.waitSeconds(source)
    if (waitSeconds > 0) throw tooManyFailures(waitSeconds)
    assertJson(request)
    const raw = await readBody(request, { maxBytes: MAX_HOOK_BYTES, timeoutMs: TIMEOUT_MS })
    try {
      const { eventId } = await door.verify({ body: raw, header: (name) => request.get(name), now: clock.now() })
      return { body: parseJson(raw), eventId }
    } catch (error) {
      if (isBerthError(error) && error.code === 'unauthenticated') strangers.take(source)
      throw error
    }
  }

export type HookReader = ReturnType<typeof createHookReader>

export const hookClosed = (): BerthError =>
  new BerthError(
    'not_found',
    'The sign-up hook is closed: this server has neither BERTH_HOOK_SECRETS nor BERTH_HOOK_GOOGLE.',
  )
