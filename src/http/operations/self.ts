import type { HttpDeps, HttpOptions } from '../http-deps.ts'
import type { KnownTenant } from '../known-tenant.ts'
import type { Operation } from '../operation.ts'
import { sendJson } from '../send.ts'
import { meWire, runtimesWire } from '../wire.ts'

const MAX_SHOWN_RUNS = 100

const runningOf = async ({ dispatcher }: HttpDeps, { tenant }: KnownTenant) => {
  const pages = await Promise.all(
    (['running', 'provisioning', 'queued'] as const).map((status) =>
      dispatcher.list({ tenantId: tenant.id, status, cursor: null, limit: MAX_SHOWN_RUNS }),
    ),
  )
  return pages
    .flatMap(({ entries }) => entries)
    .map(({ id, status, language, createdAt }) => ({ id, status, language, createdAt }))
}

const viewSelf = async (deps: HttpDeps, known: KnownTenant, signal: AbortSignal) => {
  const { tenant, berth } = known
  const usedBytes =
    berth?.state === 'ready' ? (await deps.files.usage({ berthId: berth.id, area: 'files' }, { signal })).bytes : 0
  return {
    tenant: { id: tenant.id, state: tenant.state, createdAt: tenant.createdAt.toISOString() },
    berth:
      berth === null
        ? null
        : {
            id: berth.id,
            state: berth.state,
            runnerVersion: berth.runnerVersion,
            readyAt: berth.readyAt?.toISOString() ?? null,
          },
    usedBytes,
    running: await runningOf(deps, known),
  }
}

const getMe = (deps: HttpDeps, { limits }: HttpOptions): Operation => ({
  method: 'get',
  path: '/v1/me',
  id: 'getMe',
  tag: 'self',
  access: 'caller',
  sensitive: false,
  summary: 'Who is calling, for which tenant, and what that tenant has',
  description:
    'Answers for suspended and deleted tenants too. Reading signs nobody up: `tenant` is null for who was never seen.',
  answers: { 200: { description: 'The caller and its tenant.', schema: meWire } },
  async handle({ response, caller, who, signal }) {
    const known = who === null ? null : await deps.provisioner.find(who)
    const self =
      known === null ? { tenant: null, berth: null, usedBytes: 0, running: [] } : await viewSelf(deps, known, signal)
    sendJson(response, 200, { caller: caller.kind, ...self, limits })
  },
})

const getRuntimes = (deps: HttpDeps, { limits }: HttpOptions): Operation => ({
  method: 'get',
  path: '/v1/runtimes',
  id: 'getRuntimes',
  tag: 'self',
  access: 'caller',
  sensitive: false,
  summary: 'Languages, versions, packages and limits',
  answers: { 200: { description: 'What code finds here.', schema: runtimesWire } },
  errors: ['backend_unavailable'],
  async handle({ response }) {
    const description = await deps.backend.describe()
    sendJson(response, 200, { ...description, capabilities: deps.backend.capabilities, limits })
  },
})

export const selfOperations = (deps: HttpDeps, options: HttpOptions): readonly Operation[] => [
  getMe(deps, options),
  getRuntimes(deps, options),
]
