import { BerthError } from '../domain/errors.ts'
import type { TenantId } from '../domain/ids.ts'
import { assertPayload, checkRequest } from './check-request.ts'
import type { Core } from './core.ts'
import type { RunAnswer, RunOptions } from './dispatcher.ts'
import { createDispatchRequest } from './execute-run.ts'
import { keyConflict } from './run-now.ts'
import { createRun } from './run-from-reply.ts'

/** An asynchronous run: durable, then answered, then executed by whichever process takes it. */
export const submitRun = async (core: Core, options: Omit<RunOptions, 'onEvent'>): Promise<RunAnswer> => {
  core.assertOpen()
  const { request, idempotency } = options
  const limits = checkRequest(request, core.settings, core.dispatch.capabilities)
  const run = createRun({ id: core.ids.runId(), language: request.language, createdAt: core.clock.now() })
  assertPayload(createDispatchRequest(run, request, limits))
  const { tenant, berth } = await core.berths.ensureBerth(options.who, options)
  core.admission.charge(tenant.id)
  await assertQueueHasRoom(core, tenant.id)
  const expiresAt = new Date(core.clock.now().getTime() + core.settings.idempotencyMs)
  const insertion = await core.store.runs.insert({
    stored: { run, tenantId: tenant.id, berthId: berth.id },
    request,
    idempotency: idempotency === null ? null : { ...idempotency, expiresAt },
    lease: null,
  })
  if (insertion.outcome === 'conflict') throw keyConflict()
  if (insertion.outcome === 'replayed') return { run: insertion.run, tenantId: tenant.id, replayed: true }
  const { requestId } = options
  core.events.emit({ code: 'run.queued', level: 'info', runId: run.id, tenantId: tenant.id, requestId })
  core.work.wake()
  return { run, tenantId: tenant.id, replayed: false }
}

/** Two submissions at once may both see the last place; the bound is for floods, not for accounts. @throws {BerthError} queue_full */
const assertQueueHasRoom = async (core: Core, tenantId: TenantId): Promise<void> => {
  const { queued } = core.settings.perTenant
  const { entries } = await core.store.runs.list({ tenantId, status: 'queued', cursor: null, limit: queued })
  if (entries.length < queued) return
  throw new BerthError('queue_full', `${queued} asynchronous runs of this tenant wait already`, {
    retryAfterSeconds: 5,
  })
}
