import { z } from 'zod'
import { isTerminal, runStatusSchema } from '../../domain/run.ts'
import { runRequestSchema } from '../../domain/run.ts'
import type { RunId } from '../../domain/ids.ts'
import { runIdSchema } from '../../domain/ids.ts'
import { BerthError } from '../../domain/errors.ts'
import { sendEvents } from '../event-stream.ts'
import { watchRight } from '../watch-right.ts'
import type { HttpDeps, HttpOptions } from '../http-deps.ts'
import { findTenant, knownTenant } from '../known-tenant.ts'
import type { Operation } from '../operation.ts'
import { parseInput } from '../parse-input.ts'
import { parseQuery, pathPart } from '../query.ts'
import { readJson } from '../read-body.ts'
import type { RequestContext, TenantContext } from '../request-context.ts'
import { idempotencyOf, prefersAsync, serverTiming } from '../run-headers.ts'
import { sendJson } from '../send.ts'
import { pageOf, pageQuery, runRequestWire, runWire, serverSentEventWire } from '../wire.ts'

const BODY_TIMEOUT_MS = 20_000

/** An id that is not even well formed is an id that does not exist. */
export const runIdOf = (context: RequestContext): RunId => {
  const parsed = runIdSchema.safeParse(pathPart(context.request, 'id'))
  if (!parsed.success) throw new BerthError('not_found', 'There is no such run.')
  return parsed.data
}

const createRun = (deps: HttpDeps, options: HttpOptions): Operation => ({
  method: 'post',
  path: '/v1/runs',
  id: 'createRun',
  tag: 'runs',
  access: 'tenant',
  summary: 'Run code and answer with the finished run, or with Prefer: respond-async at once',
  description:
    'The HTTP status speaks of Berth, not of the code: code that raises is 200 with `error`. With `Prefer: respond-async` the run is durable before the 202, and `Location` names it.',
  headers: z.object({
    prefer: z.string().optional().meta({ description: '`respond-async` answers before the run has ended.' }),
    'idempotency-key': z
      .string()
      .min(1)
      .max(255)
      .optional()
      .meta({ description: 'Repeats with the same key and body get the first run.' }),
  }),
  body: { schema: runRequestWire },
  answers: {
    200: { description: 'The run has ended, however it did.', schema: runWire },
    202: { description: 'The run is queued; Location names it.', schema: runWire },
  },
  errors: [
    'invalid_request',
    'malformed_json',
    'unsupported_media_type',
    'payload_too_large',
    'source_too_large',
    'file_not_found',
    'idempotency_conflict',
    'idempotency_in_flight',
    'rate_limited',
    'queue_full',
    'tenant_suspended',
    'tenant_deleted',
    'tenant_provisioning',
    'provisioning_failed',
    'berth_cap_reached',
    'backend_unavailable',
    'runner_failed',
    'shutting_down',
  ],
  async handle({ request, response, requestId, signal, who }) {
    const maxBytes = options.limits.run.maxPayloadBytes
    const body = await readJson(request, { maxBytes, timeoutMs: options.bodyTimeoutMs ?? BODY_TIMEOUT_MS })
    const run = parseInput(runRequestSchema, body, { where: 'body' })
    const isAsync = prefersAsync(request)
    const ask = { who, request: run, idempotency: idempotencyOf(request, run), requestId, signal }
    const answer = isAsync ? await deps.dispatcher.submit(ask) : await deps.dispatcher.run(ask)
    if (answer.replayed) response.setHeader('Idempotency-Replayed', 'true')
    if (isAsync) response.setHeader('Preference-Applied', 'respond-async')
    response.setHeader('Location', `/v1/runs/${answer.run.id}`)
    const ended = isTerminal(answer.run.status)
    if (ended) response.setHeader('Server-Timing', serverTiming(answer.run))
    sendJson(response, ended && !isAsync ? 200 : 202, answer.run)
  },
})

const listRuns = (deps: HttpDeps): Operation => {
  const query = z.strictObject({ ...pageQuery, status: runStatusSchema.optional() })
  return {
    method: 'get',
    path: '/v1/runs',
    id: 'listRuns',
    tag: 'runs',
    access: 'tenant',
    sensitive: false,
    summary: "The tenant's runs, newest first",
    query,
    answers: { 200: { description: 'A page of runs.', schema: pageOf(runWire) } },
    errors: ['invalid_request'],
    async handle({ request, response, who }) {
      const { limit, cursor, status } = parseQuery(query, request)
      const known = await findTenant(deps, who)
      if (known === null) return sendJson(response, 200, { data: [], nextCursor: null })
      const page = await deps.dispatcher.list({
        tenantId: known.tenant.id,
        limit,
        cursor: cursor ?? null,
        status: status ?? null,
      })
      return sendJson(response, 200, { data: page.entries, nextCursor: page.nextCursor })
    },
  }
}

const getRun = (deps: HttpDeps): Operation => ({
  method: 'get',
  path: '/v1/runs/{id}',
  id: 'getRun',
  tag: 'runs',
  access: 'tenant',
  sensitive: false,
  summary: 'One run',
  answers: { 200: { description: 'The run as it is now.', schema: runWire } },
  errors: ['not_found'],
  async handle(context) {
    const runId = runIdOf(context)
    const { tenant } = await knownTenant(deps, context.who)
    const { run } = await deps.dispatcher.get(tenant.id, runId)
    sendJson(context.response, 200, run)
  },
})

const streamRunEvents = (deps: HttpDeps, options: HttpOptions): Operation => ({
  method: 'get',
  path: '/v1/runs/{id}/events',
  id: 'streamRunEvents',
  tag: 'runs',
  access: 'tenant',
  sensitive: false,
  summary: 'What happens in a run, as server-sent events',
  description:
    'Events: run.created, run.started, stdout, stderr, result, artifact, run.completed (the whole run, then the stream ends). `Last-Event-ID` resumes; a comment every 15 s keeps the connection alive. As often the server asks whether the key or token still holds; when it does not, an event `error` with the problem ends the stream.',
  headers: z.object({ 'last-event-id': z.string().optional() }),
  answers: { 200: { description: 'The stream.', mime: 'text/event-stream', schema: serverSentEventWire } },
  errors: ['not_found', 'invalid_request'],
  async handle(context) {
    const runId = runIdOf(context)
    const { tenant } = await knownTenant(deps, context.who)
    // Asked first, so that an unknown run is a plain 404 and not a broken stream.
    await deps.dispatcher.get(tenant.id, runId)
    const header = context.request.headers['last-event-id']
    const lastEventId = typeof header === 'string' && header !== '' ? header : null
    const heartbeatMs = options.heartbeatMs ?? 15_000
    using right = watchRight(context.recheck, heartbeatMs)
    const signal = AbortSignal.any([context.signal, deps.stopping, right.signal])
    const events = deps.dispatcher.events(tenant.id, runId, { lastEventId, signal })
    await sendEvents({ ...context, signal }, events, { clock: deps.clock, heartbeatMs })
  },
})

const cancelRun = (deps: HttpDeps): Operation => ({
  method: 'post',
  path: '/v1/runs/{id}/cancel',
  id: 'cancelRun',
  tag: 'runs',
  access: 'tenant',
  sensitive: false,
  summary: 'Stop a run',
  answers: {
    200: { description: 'It is canceled.', schema: runWire },
    202: { description: 'It will be canceled; its events say when.', schema: runWire },
  },
  errors: ['not_found', 'conflict'],
  async handle(context: TenantContext) {
    const runId = runIdOf(context)
    const { tenant } = await knownTenant(deps, context.who)
    const run = await deps.dispatcher.cancel(tenant.id, runId)
    sendJson(context.response, isTerminal(run.status) ? 200 : 202, run)
  },
})

export const runOperations = (deps: HttpDeps, options: HttpOptions): readonly Operation[] => [
  createRun(deps, options),
  listRuns(deps),
  getRun(deps),
  streamRunEvents(deps, options),
  cancelRun(deps),
]
