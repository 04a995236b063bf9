import type { ErrorCode } from '../../domain/error-table.ts'
import { BerthError } from '../../domain/errors.ts'
import type { ExternalId } from '../../domain/tenant.ts'
import { externalIdSchema } from '../../domain/tenant.ts'
import type { HookSource } from '../../identity/hook-source.ts'
import type { HttpDeps } from '../http-deps.ts'
import type { Operation } from '../operation.ts'
import { parseInput } from '../parse-input.ts'
import type { RequestContext } from '../request-context.ts'
import { sendJson } from '../send.ts'
import { isDeferred } from '../sign-up-policy.ts'
import type { SourceLimiter } from '../source-limiter.ts'
import { createHookReader, hookClosed, type HookReader, ownForm, providerForm } from '../verified-hook.ts'
import { hookAnswerWire, hookWire } from '../wire.ts'

interface UserEvent {
  readonly type: 'user.created' | 'user.deleted'
  readonly externalId: ExternalId
  readonly emailVerified: boolean
  readonly eventId: string
}

const answers = {
  202: { description: 'Durable; the berth is made or deleted behind the answer.', schema: hookAnswerWire },
}

const errors: readonly ErrorCode[] = [
  'invalid_request',
  'malformed_json',
  'unauthenticated',
  'forbidden',
  'identity_unavailable',
  'rate_limited',
  'not_found',
  'payload_too_large',
  'berth_cap_reached',
]

const NOT_SERVED = 'a user of an Identity Platform tenant that BERTH_FIREBASE does not name'

const receiveIdentityHook = (deps: HttpDeps, read: HookReader): Operation => ({
  method: 'post',
  path: '/v1/hooks/identity',
  id: 'receiveIdentityHook',
  tag: 'sign-up',
  access: 'hook',
  summary: 'A user came or went, signed by Standard Webhooks HMAC or with a Google ID token',
  description:
    "Headers webhook-id, webhook-timestamp (±300 s) and webhook-signature over the raw body, or svix-*; or webhook-id and Authorization: Bearer with an ID token of the sender's Google service account. BERTH_HOOK_AUTH says which. Durable when answered. A second arrival of an event changes nothing.",
  body: { schema: hookWire },
  answers,
  errors,
  async handle(context) {
    if (deps.hookDoor === null) throw hookClosed()
    const { body, eventId } = await read({ door: deps.hookDoor, form: ownForm }, context)
    const { type, data } = parseInput(hookWire, body, { where: 'body' })
    const { emailVerified, ...externalId } = data
    assertNoSourceSpeaksFor(deps, externalId.project)
    if (type === 'user.created' && !deps.isServed(externalId)) return ignore(deps, context, NOT_SERVED)
    await obey(deps, context, { type, externalId, emailVerified, eventId: eventId ?? '' })
  },
})

/** A project has one sender: whose secret opens this door must not delete the users of a provider that has a door of its own. */
const assertNoSourceSpeaksFor = ({ hookSources }: HttpDeps, project: string): void => {
  const taken = hookSources.values().some((source) => source.project === project)
  if (taken)
    throw new BerthError(
      'forbidden',
      'Of the users of this identity project a source of BERTH_HOOK_SOURCES tells, and nobody else.',
    )
}

const receiveProviderHook = (deps: HttpDeps, read: HookReader): Operation => ({
  method: 'post',
  path: '/v1/hooks/identity/{source}',
  id: 'receiveProviderHook',
  tag: 'sign-up',
  access: 'hook',
  summary: 'A webhook of Auth0, Clerk, Cognito or Supabase, as that provider sends it',
  description:
    "The source is a name of BERTH_HOOK_SOURCES, whose secrets or bearer tokens prove the sender. The users' identity project is the source's, whatever the body says.",
  answers,
  errors,
  async handle(context) {
    const source = sourceOf(deps, context)
    const { body, eventId } = await read({ door: source.door, form: providerForm }, context)
    const event = source.read(body)
    if (event.type === 'ignored') return ignore(deps, context, event.reason)
    const externalId = parseInput(
      externalIdSchema,
      { project: source.project, identityTenant: '', uid: event.uid },
      { where: 'body' },
    )
    await obey(deps, context, { ...event, externalId, eventId: eventId ?? event.eventId })
  },
})

const sourceOf = ({ hookSources }: HttpDeps, { request }: RequestContext): HookSource => {
  const source = hookSources.get(String(request.params['source']))
  if (source === undefined) throw new BerthError('not_found', 'BERTH_HOOK_SOURCES has no source of this name.')
  return source
}

/** Done, so that the sender does not repeat it; told, since it may be a webhook that was set up wrongly. */
const ignore = ({ events }: HttpDeps, { response, requestId }: RequestContext, reason: string): void => {
  events.emit({ code: 'hook.ignored', level: 'warn', requestId, detail: { reason } })
  sendJson(response, 202, { tenantId: null, outcome: 'ignored' })
}

const obey = async (deps: HttpDeps, { response }: RequestContext, event: UserEvent): Promise<void> => {
  const { provisioner, provisionOn } = deps
  const { type, externalId, emailVerified, eventId } = event
  if (type === 'user.deleted') {
    const tenant = await provisioner.requestDeletion(externalId, { id: eventId })
    const outcome = tenant.state === 'deleted' ? 'tombstone' : 'deleting'
    return sendJson(response, 202, { tenantId: tenant.id, outcome })
  }
  // Who has a tenant is signed up as ever: the answer is the same, and a lost berth is made again.
  if (isDeferred(provisionOn, emailVerified) && (await provisioner.find(externalId)) === null)
    return sendJson(response, 202, { tenantId: null, outcome: 'deferred' })
  const { tenant, outcome } = await provisioner.signUp(externalId, { id: eventId })
  return sendJson(response, 202, { tenantId: tenant.id, outcome })
}

export const hookOperations = (deps: HttpDeps, strangers: SourceLimiter): readonly Operation[] => {
  const read = createHookReader(deps, strangers)
  return [receiveIdentityHook(deps, read), receiveProviderHook(deps, read)]
}
