import { z } from 'zod'
import { BerthError } from '../../domain/errors.ts'
import { tenantIdSchema, type TenantId } from '../../domain/ids.ts'
import { type Berth, externalIdSchema, tenantStateSchema, type Tenant } from '../../domain/tenant.ts'
import type { HttpDeps } from '../http-deps.ts'
import type { KnownTenant } from '../known-tenant.ts'
import type { Operation } from '../operation.ts'
import { parseInput } from '../parse-input.ts'
import { parseQuery, pathPart } from '../query.ts'
import { readJson } from '../read-body.ts'
import type { RequestContext } from '../request-context.ts'
import { sendJson } from '../send.ts'
import { viewBerth, viewTenant } from '../views.ts'
import {
  berthWire,
  moveWire,
  newTenantWire,
  pageOf,
  pageQuery,
  receiptWire,
  tenantLookupWire,
  tenantsFoundWire,
  tenantWire,
} from '../wire.ts'

const BODY = { maxBytes: 64 * 1024, timeoutMs: 20_000 }
/** A hundred uids, each unit of them escaped. */
const LOOKUP_BODY = { ...BODY, maxBytes: 128 * 1024 }

const tenantIdOf = ({ request }: RequestContext): TenantId => {
  const parsed = tenantIdSchema.safeParse(pathPart(request, 'id'))
  if (!parsed.success) throw new BerthError('not_found', 'There is no such tenant.')
  return parsed.data
}

const findById = async (deps: HttpDeps, tenantId: TenantId): Promise<KnownTenant> => {
  const found = await deps.provisioner.find(tenantId)
  if (found === null) throw new BerthError('not_found', 'There is no such tenant.')
  return found
}

/** A row says what the berth ran when it became ready; rollouts change that, and no row. */
const asItRuns = async ({ fleetWatch }: HttpDeps, berth: Berth): Promise<Berth> => {
  const seen = await fleetWatch.runnerOf(berth)
  if (seen === null || seen.at < (berth.readyAt ?? seen.at)) return berth
  return { ...berth, image: seen.image, runnerVersion: seen.version }
}

const view = async (deps: HttpDeps, tenant: Tenant, berth: Berth | null) =>
  viewTenant(tenant, berth === null ? null : await asItRuns(deps, berth))

const viewWithBerth = async (deps: HttpDeps, tenant: Tenant) =>
  view(deps, tenant, await deps.store.berths.findByTenant(tenant.id))

const listQuery = z.strictObject({
  ...pageQuery,
  state: tenantStateSchema.optional(),
  project: z.string().optional().meta({ description: 'With `uid`: the one tenant of that name.' }),
  identityTenant: z.string().optional(),
  uid: z.string().optional(),
})

const listTenants = (deps: HttpDeps): Operation => ({
  method: 'get',
  path: '/v1/tenants',
  id: 'listTenants',
  tag: 'tenants',
  access: 'operator',
  summary: 'Tenants, oldest first, or the one that `project` and `uid` name',
  query: listQuery,
  answers: { 200: { description: 'A page of tenants.', schema: pageOf(tenantWire) } },
  errors: ['invalid_request'],
  async handle({ request, response }) {
    const { limit, cursor, state, project, uid, identityTenant = '' } = parseQuery(listQuery, request)
    if (project !== undefined || uid !== undefined) {
      const externalId = parseInput(externalIdSchema, { project, uid, identityTenant }, { where: 'query' })
      const found = await deps.provisioner.find(externalId)
      const data = found === null ? [] : [await view(deps, found.tenant, found.berth)]
      return sendJson(response, 200, { data, nextCursor: null })
    }
    const page = await deps.store.tenants.list({ limit, cursor: cursor ?? null, state: state ?? null })
    const data = await Promise.all(page.entries.map((tenant) => viewWithBerth(deps, tenant)))
    return sendJson(response, 200, { data, nextCursor: page.nextCursor })
  },
})

const createTenant = (deps: HttpDeps): Operation => ({
  method: 'post',
  path: '/v1/tenants',
  id: 'createTenant',
  tag: 'tenants',
  access: 'operator',
  summary: 'Sign a tenant up; its berth is made behind the answer',
  body: { schema: newTenantWire },
  answers: {
    200: { description: 'It was there already.', schema: tenantWire },
    201: { description: 'It is new.', schema: tenantWire },
  },
  errors: ['invalid_request', 'malformed_json', 'tenant_deleted', 'berth_cap_reached'],
  async handle({ request, response }) {
    const externalId = parseInput(newTenantWire, await readJson(request, BODY), { where: 'body' })
    const { tenant, berth, outcome } = await deps.provisioner.signUp(externalId, null, { byOperator: true })
    if (outcome === 'tombstone') throw new BerthError('tenant_deleted', 'A tenant of this name was deleted.')
    response.setHeader('Location', `/v1/tenants/${tenant.id}`)
    sendJson(response, outcome === 'created' ? 201 : 200, await view(deps, tenant, berth))
  },
})

const lookUpTenants = (deps: HttpDeps): Operation => ({
  method: 'post',
  path: '/v1/tenants/lookup',
  id: 'lookUpTenants',
  tag: 'tenants',
  access: 'operator',
  summary: 'Which of up to 100 users have a tenant, or had one that was deleted',
  description: 'Changes nothing. Who is not known is left out of the answer.',
  body: { schema: tenantLookupWire },
  answers: { 200: { description: 'The tenants that were found.', schema: tenantsFoundWire } },
  errors: ['invalid_request', 'malformed_json'],
  async handle({ request, response }) {
    const asked = parseInput(tenantLookupWire, await readJson(request, LOOKUP_BODY), { where: 'body' })
    const { project, identityTenant, uids } = asked
    const found = await deps.store.tenants.findByExternalIds(uids.map((uid) => ({ project, identityTenant, uid })))
    const tenants = uids.flatMap((uid, at) => {
      const tenant = found[at]
      return tenant === null || tenant === undefined ? [] : [{ uid, id: tenant.id, state: tenant.state }]
    })
    sendJson(response, 200, { tenants, provisionOn: deps.provisionOn })
  },
})

const getTenant = (deps: HttpDeps): Operation => ({
  method: 'get',
  path: '/v1/tenants/{id}',
  id: 'getTenant',
  tag: 'tenants',
  access: 'operator',
  summary: 'One tenant and its berth',
  answers: { 200: { description: 'The tenant.', schema: tenantWire } },
  errors: ['not_found'],
  async handle(context) {
    const { tenant, berth } = await findById(deps, tenantIdOf(context))
    sendJson(context.response, 200, await view(deps, tenant, berth))
  },
})

const setSuspended = (deps: HttpDeps, verb: 'suspend' | 'resume'): Operation => ({
  method: 'post',
  path: `/v1/tenants/{id}/${verb}`,
  id: `${verb}Tenant`,
  tag: 'tenants',
  access: 'operator',
  summary: verb === 'suspend' ? 'Refuse everything the tenant asks for' : 'End a suspension',
  answers: { 200: { description: 'Done; other processes follow within seconds.', schema: tenantWire } },
  errors: ['not_found', 'conflict'],
  async handle(context) {
    const tenantId = tenantIdOf(context)
    const tenant = await deps.provisioner[verb](tenantId)
    sendJson(context.response, 200, await viewWithBerth(deps, tenant))
  },
})

const moveTenant = (deps: HttpDeps): Operation => ({
  method: 'post',
  path: '/v1/tenants/{id}/move',
  id: 'moveTenant',
  tag: 'tenants',
  access: 'operator',
  summary: 'Give a tenant a berth on another backend',
  description:
    'The new berth is made and tested behind the answer; until it is ready the tenant runs in the old one. Then it changes in one step, and a minute later the old berth is destroyed. Files and artifacts do not move.',
  body: { schema: moveWire },
  answers: { 202: { description: 'The new berth, on its way. Repeated, it is the same one.', schema: berthWire } },
  errors: ['invalid_request', 'not_found', 'conflict', 'berth_cap_reached', 'backend_unavailable'],
  async handle(context) {
    const tenantId = tenantIdOf(context)
    const options = parseInput(moveWire, await readJson(context.request, BODY), { where: 'body' })
    const berth = await deps.provisioner.move(tenantId, { ...options, signal: context.signal })
    context.response.setHeader('Location', `/v1/tenants/${tenantId}/move`)
    sendJson(context.response, 202, viewBerth(berth))
  },
})

const getMove = (deps: HttpDeps): Operation => ({
  method: 'get',
  path: '/v1/tenants/{id}/move',
  id: 'getMove',
  tag: 'tenants',
  access: 'operator',
  summary: 'The berth that is to replace the tenant’s own, or that a move has left and that still exists',
  answers: { 200: { description: 'The other berth.', schema: berthWire } },
  errors: ['not_found'],
  async handle(context) {
    const { tenant } = await findById(deps, tenantIdOf(context))
    const berth = await deps.store.tenants.findMove(tenant.id)
    if (berth === null) throw new BerthError('not_found', 'No move of this tenant is going on.')
    sendJson(context.response, 200, viewBerth(berth))
  },
})

const deleteTenant = (deps: HttpDeps): Operation => ({
  method: 'delete',
  path: '/v1/tenants/{id}',
  id: 'deleteTenant',
  tag: 'tenants',
  access: 'operator',
  summary: 'Delete a tenant with all it has; the receipt follows',
  answers: { 202: { description: 'Durable; the receipt says when it is done.', schema: tenantWire } },
  errors: ['not_found'],
  async handle(context) {
    const { tenant } = await findById(deps, tenantIdOf(context))
    const asked = await deps.provisioner.requestDeletion(tenant.id, null)
    context.response.setHeader('Location', `/v1/tenants/${tenant.id}/receipt`)
    sendJson(context.response, 202, await viewWithBerth(deps, asked))
  },
})

const getReceipt = (deps: HttpDeps): Operation => ({
  method: 'get',
  path: '/v1/tenants/{id}/receipt',
  id: 'getReceipt',
  tag: 'tenants',
  access: 'operator',
  summary: 'What the deletion of a tenant removed and verified absent',
  answers: { 200: { description: 'The receipt.', schema: receiptWire } },
  errors: ['not_found', 'conflict'],
  async handle(context) {
    const { tenant } = await findById(deps, tenantIdOf(context))
    if (tenant.receipt !== null) return sendJson(context.response, 200, tenant.receipt)
    if (tenant.state === 'deprovisioning')
      throw new BerthError('conflict', 'The tenant is still being deleted; ask again.', { retryAfterSeconds: 1 })
    throw new BerthError('not_found', `The tenant is ${tenant.state}; there is no receipt.`)
  },
})

export const tenantOperations = (deps: HttpDeps): readonly Operation[] => [
  listTenants(deps),
  createTenant(deps),
  lookUpTenants(deps),
  getTenant(deps),
  setSuspended(deps, 'suspend'),
  setSuspended(deps, 'resume'),
  moveTenant(deps),
  getMove(deps),
  deleteTenant(deps),
  getReceipt(deps),
]
