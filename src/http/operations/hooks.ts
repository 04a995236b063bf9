import { BerthError, isBerthError } from '../../domain/errors.ts'
import { tooManyFailures } from '../authenticate.ts'
import type { HttpDeps } from '../http-deps.ts'
import type { Operation } from '../operation.ts'
import { parseInput } from '../parse-input.ts'
import { assertJson, parseJson, readBody } from '../read-body.ts'
import type { RequestContext } from '../request-context.ts'
import { sendJson } from '../send.ts'
import { sourceOf, type SourceLimiter } from '../source-limiter.ts'
import { hookAnswerWire, hookWire } from '../wire.ts'

const MAX_HOOK_BYTES = 64 * 1024
const TIMEOUT_MS = 10_000

/** The raw body and the id of its event, once the signature holds. Strangers are counted and slowed down. */
const verifiedBody = async (deps: HttpDeps, strangers: SourceLimiter, { request }: RequestContext) => {
  const { hookSignature, clock } = deps
  if (hookSignature === null)
    throw new BerthError('not_found', 'The sign-up hook is closed: this server has no BERTH_HOOK_SECRETS.')
  const source = sourceOf(request.ip)
  const waitSeconds = strangers.waitSeconds(source)
  if (waitSeconds > 0) throw tooManyFailures(waitSeconds)
  assertJson(request)
  const body = await readBody(request, { maxBytes: MAX_HOOK_BYTES, timeoutMs: TIMEOUT_MS })
  try {
    return { body, ...hookSignature.verify({ body, header: (name) => request.get(name), now: clock.now() }) }
  } catch (error) {
    if (isBerthError(error) && error.code === 'unauthenticated') strangers.take(source)
    throw error
  }
}

const receiveIdentityHook = (deps: HttpDeps, strangers: SourceLimiter): Operation => ({
  method: 'post',
  path: '/v1/hooks/identity',
  id: 'receiveIdentityHook',
  tag: 'sign-up',
  access: 'hook',
  summary: 'A user came or went, signed by Standard Webhooks HMAC',
  description:
    'Headers webhook-id, webhook-timestamp (±300 s) and webhook-signature over the raw body, or svix-*. Durable when answered. A second arrival of an event changes nothing.',
  body: { schema: hookWire },
  answers: { 202: { description: 'Durable; the berth is made or deleted behind the answer.', schema: hookAnswerWire } },
  errors: [
    'invalid_request',
    'malformed_json',
    'unauthenticated',
    'rate_limited',
    'not_found',
    'payload_too_large',
    'berth_cap_reached',
  ],
  async handle(context) {
    const { body, eventId } = await verifiedBody(deps, strangers, context)
    const { type, data } = parseInput(hookWire, parseJson(body), { where: 'body' })
    const event = { id: eventId }
    if (type === 'user.created') {
      const { tenant, outcome } = await deps.provisioner.signUp(data, event)
      return sendJson(context.response, 202, { tenantId: tenant.id, outcome })
    }
    const tenant = await deps.provisioner.requestDeletion(data, event)
    const outcome = tenant.state === 'deleted' ? 'tombstone' : 'deleting'
    return sendJson(context.response, 202, { tenantId: tenant.id, outcome })
  },
})

export const hookOperations = (deps: HttpDeps, strangers: SourceLimiter): readonly Operation[] => [
  receiveIdentityHook(deps, strangers),
]
