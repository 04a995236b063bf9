import type { Receipt, TenantState } from '../domain/tenant.ts'
import { entriesOf } from './pages.ts'
import type { Waiting } from './runs.ts'
import type { Transport } from './transport.ts'
import type { Move, NewTenant, Page, TenantLookup, TenantsFound, WireBerth, WireTenant } from './wire.ts'

/** All are read anyway, so the fewest requests. */
const MOST_IN_A_PAGE = 100

export interface ListTenantsOptions extends Waiting, Partial<NewTenant> {
  readonly state?: TenantState | undefined
}

/** For operators. */
export interface Tenants {
  /** Oldest first; or the one that `project` and `uid` name, when there is one. */
  list(options?: ListTenantsOptions): AsyncIterable<WireTenant>
  /** Which of these users are known here; changes nothing. */
  lookUp(asked: TenantLookup, options?: Waiting): Promise<TenantsFound>
  /** @throws {BerthError} not_found */
  get(tenantId: string, options?: Waiting): Promise<WireTenant>
  /** The tenant of this external id, made when there is none. @throws {BerthError} berth_cap_reached, tenant_deleted */
  create(tenant: NewTenant, options?: Waiting): Promise<WireTenant>
  /** Runs are refused from now on; nothing is deleted. */
  suspend(tenantId: string, options?: Waiting): Promise<WireTenant>
  resume(tenantId: string, options?: Waiting): Promise<WireTenant>
  /**
   * Starts to move the tenant to another backend and answers with the new berth; it is the tenant's own once it is ready.
   * @throws {BerthError} invalid_request, not_found, conflict
   */
  move(tenantId: string, move: Move, options?: Waiting): Promise<WireBerth>
  /** The other berth of a move that goes on. @throws {BerthError} not_found when none does */
  moving(tenantId: string, options?: Waiting): Promise<WireBerth>
  /** Starts the deletion of everything the tenant has; `receipt` tells its end. */
  remove(tenantId: string, options?: Waiting): Promise<WireTenant>
  /** What was deleted and then verified absent. @throws {BerthError} not_found, conflict while it goes on */
  receipt(tenantId: string, options?: Waiting): Promise<Receipt>
}

export const createTenants = (transport: Transport): Tenants => {
  const one = (method: 'GET' | 'POST' | 'DELETE', parts: readonly string[], signal: AbortSignal | undefined) =>
    transport.json<WireTenant>({ method, path: ['v1', 'tenants', ...parts], repeat: 'always', signal })

  return {
    list: ({ signal, ...filter } = {}) =>
      entriesOf((cursor) =>
        transport.json<Page<WireTenant>>({
          method: 'GET',
          path: ['v1', 'tenants'],
          query: { ...filter, cursor, limit: MOST_IN_A_PAGE },
          repeat: 'always',
          signal,
        }),
      ),
    lookUp: (asked, { signal } = {}) =>
      transport.json<TenantsFound>({
        method: 'POST',
        path: ['v1', 'tenants', 'lookup'],
        json: asked,
        repeat: 'always',
        signal,
      }),
    get: (tenantId, { signal } = {}) => one('GET', [tenantId], signal),
    create: (tenant, { signal } = {}) =>
      transport.json<WireTenant>({
        method: 'POST',
        path: ['v1', 'tenants'],
        json: tenant,
        // Idempotent on the external id.
        repeat: 'always',
        signal,
      }),
    suspend: (tenantId, { signal } = {}) => one('POST', [tenantId, 'suspend'], signal),
    resume: (tenantId, { signal } = {}) => one('POST', [tenantId, 'resume'], signal),
    move: (tenantId, move, { signal } = {}) =>
      transport.json<WireBerth>({
        method: 'POST',
        path: ['v1', 'tenants', tenantId, 'move'],
        json: move,
        // The same move, while it goes on.
        repeat: 'always',
        signal,
      }),
    moving: (tenantId, { signal } = {}) =>
      transport.json<WireBerth>({
        method: 'GET',
        path: ['v1', 'tenants', tenantId, 'move'],
        repeat: 'always',
        signal,
      }),
    remove: (tenantId, { signal } = {}) => one('DELETE', [tenantId], signal),
    receipt: (tenantId, { signal } = {}) =>
      transport.json<Receipt>({
        method: 'GET',
        path: ['v1', 'tenants', tenantId, 'receipt'],
        repeat: 'always',
        signal,
      }),
  }
}
