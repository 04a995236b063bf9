import type { BerthId, TenantId } from '../domain/ids.ts'
import type { Berths } from '../domain/ports/berths.ts'
import type { BerthError } from '../domain/errors.ts'
import type { Clock } from '../domain/ports/clock.ts'
import type { Events } from '../domain/ports/events.ts'
import type { Fleet } from '../domain/ports/fleet.ts'
import type { Ids } from '../domain/ports/ids.ts'
import type { HookEvent, SignUp, Store } from '../domain/ports/store.ts'
import type { TenantFiles } from '../domain/ports/tenant-files.ts'
import type { Berth, ExternalId, Tenant } from '../domain/tenant.ts'
import { createBerthLookup } from './berth-lookup.ts'
import { createBerthWork } from './berth-work.ts'
import { createClosings } from './closings.ts'
import { createMove, MOVE_GRACE_MS } from './move.ts'
import { reconcile } from './reconcile.ts'
import { createRoomWatch, type Room } from './room-watch.ts'
import { createSignUps, type SignUpOptions } from './sign-ups.ts'
import { createSuspension } from './suspension.ts'

export interface ProvisionerDeps {
  readonly store: Pick<Store, 'tenants' | 'berths' | 'owners'>
  readonly berths: Berths
  readonly fleet: Pick<Fleet, 'selfTest'>
  /** Asked before a berth makes way for another; without it none does. */
  readonly files?: Pick<TenantFiles, 'list'>
  readonly clock: Clock
  readonly ids: Ids
  readonly events: Events
}

/** Where a new berth goes, or where a ready spare waits. Null when no cell has room for another berth. */
export type PickCell = (options: { readonly purpose: 'signUp' | 'spare' }) => Promise<string | null>

export interface ProvisionerOptions {
  readonly pickCell: PickCell
  /** Ready berths that wait for a sign-up. */
  readonly spares: number
  /** Rows of berths that may exist, spares included. */
  readonly maxBerths: number
  /** Berths that the tenants of one identity project may have. @default no cap of its own */
  readonly maxBerthsPerProject?: number
  /** New tenants of one identity project per minute, in this process. @default as many as come */
  readonly signUpsPerMinute?: number
  /** Berths made or destroyed at once. @default 4 */
  readonly concurrency?: number
  /** Tries to make a berth before it is `failed`; deleting never gives up. @default 8 */
  readonly maxAttempts?: number
  /** How long a killed process keeps its work from others. @default 30000 */
  readonly leaseMs?: number
  /** Looks for work this often, besides being woken by sign-ups. @default 3000 */
  readonly pollMs?: number
  /** How long `ensureBerth` waits for a berth on its way. @default 20000 */
  readonly readyWaitMs?: number
  /** Calls of one tenant that may wait for it, in this process. @default 100 */
  readonly waitingPerTenant?: number
  /** How long a suspension by another process may go unnoticed here. @default 5000 */
  readonly lookupTtlMs?: number
  /** A try to make or destroy a berth that takes longer counts as failed. @default 300000 */
  readonly attemptTimeoutMs?: number
  /** Bound of the pause after the first failed try; it doubles with each. @default 500 */
  readonly retryBaseMs?: number
  /** No pause is longer. @default 60000 */
  readonly retryMaxMs?: number
  /** How long a berth that a tenant was moved from stays for what still runs there. @default 60000 */
  readonly moveGraceMs?: number
}

/** By Berth's own id, or by what the identity provider calls the tenant. */
export type TenantReference = TenantId | ExternalId

export interface TenantBerth {
  readonly tenant: Tenant
  readonly berth: Berth
}

export type ClosedListener = (tenantId: TenantId, why: BerthError) => void

type GapKind =
  | 'orphan'
  | 'missing'
  | 'half_made'
  | 'half_deleted'
  | 'unowned'
  | 'no_berth'
  | 'not_suspended'
  | 'not_resumed'
  | 'lost_row'
  | 'unknown_owner'
  | 'disputed'
  | 'unrecorded'
  | 'drifted'

export type ReconcileFinding = {
  /**
   * orphan: resources that no row owns · missing: a ready berth without resources · half_made: a berth that failed or is incomplete ·
   * half_deleted: a deletion that has not ended · unowned: a ready berth of a deleted tenant · no_berth: an active tenant without a berth ·
   * not_suspended: a suspended tenant whose function or role still works · not_resumed: an active tenant whose function or role does not ·
   * lost_row: a tenant's berth that has no row · unknown_owner: files that no row and no record gives to anybody · disputed: two berths with
   * files say that they are one tenant's · unrecorded: what lies with a berth does not say whose it is · drifted: settings or rights of a
   * berth were changed by hand, or are of an older template
   */
  readonly kind: GapKind
  readonly berthId: BerthId | null
  readonly tenantId: TenantId | null
  /** What closes the gap. */
  readonly action:
    | 'destroy'
    | 'provision'
    | 'deprovision'
    | 'wait'
    | 'suspend'
    | 'resume'
    | 'adopt'
    | 'operator'
    | 'record'
    | 'upgrade'
  /** False in a dry run and when the action failed. */
  readonly done: boolean
  readonly error: string | null
  /** What differs, of a kind that does not say it all. */
  readonly detail?: string
}

export interface ReconcileReport {
  readonly applied: boolean
  readonly resources: number
  readonly rows: number
  readonly tenants: number
  readonly findings: readonly ReconcileFinding[]
}

/** Brings every tenant to exactly one ready berth, and leaves nothing of a deleted one. */
export interface Provisioner {
  /** Durable when it resolves; the berth is made behind it. @throws {BerthError} berth_cap_reached, rate_limited, store_unavailable */
  signUp(externalId: ExternalId, event: HookEvent | null, options?: SignUpOptions): Promise<SignUp>
  /** How full the cap of berths is, by a count that is some seconds old at most. @throws {BerthError} store_unavailable */
  room(): Promise<Room>
  /** Marks the tenant and its berths for deletion; an unknown external id becomes a tombstone. Durable when it resolves. */
  requestDeletion(who: TenantReference, event: HookEvent | null): Promise<Tenant>
  /** Reads only. Null when nobody of that name ever signed up. Fresh from the store. */
  find(who: TenantReference): Promise<{ readonly tenant: Tenant; readonly berth: Berth | null } | null>
  /**
   * The ready berth of an active tenant; signs up who is unknown and waits a while for a berth on its way. Answers from a cache of a few seconds.
   * @throws {BerthError} not_found (a tenant id that nobody has), tenant_suspended, tenant_deleted, tenant_provisioning, provisioning_failed, berth_cap_reached, rate_limited
   */
  ensureBerth(who: TenantReference, options: { signal: AbortSignal }): Promise<TenantBerth>
  /** Called at once with every tenant that this process suspends or begins to delete, and why it may not run. */
  onClosed(listener: ClosedListener): void
  /** Which of these may not run any more, and why; whatever process closed them. Fresh from the store. */
  findClosed(tenantIds: readonly TenantId[]): Promise<ReadonlyMap<TenantId, BerthError>>
  /**
   * The row first, so that runs are refused at once; then the berth's function and credentials. When the latter fails the tenant stays
   * suspended, and repeating it, or reconcile, ends it. @throws {BerthError} not_found, conflict, backend_unavailable
   */
  suspend(tenantId: TenantId): Promise<Tenant>
  /** The berth first, then the row. @throws {BerthError} not_found, conflict, backend_unavailable */
  resume(tenantId: TenantId): Promise<Tenant>
  /**
   * Makes and tests a berth on another backend behind the answer, then gives it to the tenant in one step and destroys the old one.
   * Files do not move: with any the answer is a conflict, unless `deleteFiles`. Repeated while it goes on, it is the same move.
   * @throws {BerthError} invalid_request (a backend that is not served), not_found, conflict, berth_cap_reached, backend_unavailable
   */
  move(
    tenantId: TenantId,
    options: { readonly to: string; readonly deleteFiles: boolean; readonly signal: AbortSignal },
  ): Promise<Berth>
  /** Compares rows with resources. Changes nothing unless `apply`. */
  reconcile(options: {
    apply: boolean
    /** Makes rows of berths that have none: the store was lost, or is an older copy. @default false */
    rebuild?: boolean
    /** Looks at the settings, rights and owner's record of each berth as well. @default false */
    deep?: boolean
    signal: AbortSignal
    onFinding?: (finding: ReconcileFinding) => void
  }): Promise<ReconcileReport>
  /** Works until the signal is aborted, then hands its leases back and resolves. */
  start(signal: AbortSignal): Promise<void>
}

const defaults = {
  concurrency: 4,
  // With full jitter some half a minute: a backend that is away for a moment must not leave work for an operator.
  maxAttempts: 8,
  leaseMs: 30_000,
  pollMs: 3000,
  readyWaitMs: 20_000,
  waitingPerTenant: 100,
  lookupTtlMs: 5000,
  attemptTimeoutMs: 300_000,
  retryBaseMs: 500,
  retryMaxMs: 60_000,
  moveGraceMs: MOVE_GRACE_MS,
  maxBerthsPerProject: Number.MAX_SAFE_INTEGER,
  signUpsPerMinute: Number.MAX_SAFE_INTEGER,
}

/** @throws {BerthError} never by itself; its methods do */
export const createProvisioner = (deps: ProvisionerDeps, options: ProvisionerOptions): Provisioner => {
  const settings = Object.freeze({ ...defaults, ...options })
  const room = createRoomWatch({ ...deps, berths: deps.store.berths }, settings.maxBerths)
  const signUps = createSignUps(deps, settings, { onWork: () => work.wake(), room })
  const lookup = createBerthLookup({ ...deps, signUp: signUps.signUp }, settings)
  const work = createBerthWork({ ...deps, onSettled: lookup.berthChanged, onMoved: lookup.forget }, settings)
  const closings = createClosings(deps.store, lookup)
  const suspension = createSuspension({ ...deps, closings })
  return {
    signUp: signUps.signUp,
    room: () => room.read(),
    requestDeletion: async (who, event) => {
      const tenant = await signUps.requestDeletion(who, event)
      closings.changed(tenant)
      return tenant
    },
    find: lookup.find,
    ensureBerth: lookup.ensureBerth,
    onClosed: closings.onClosed,
    findClosed: closings.findClosed,
    move: createMove(deps, settings, { onWork: () => work.wake() }),
    suspend: suspension.suspend,
    resume: suspension.resume,
    reconcile: async (request) => {
      const report = await reconcile(
        { ...deps, signUp: (who, event) => signUps.signUp(who, event, { byOperator: true }) },
        request,
      )
      if (request.apply) work.wake()
      return report
    },
    start: work.start,
  }
}
