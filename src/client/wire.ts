import type { DispatchCapabilities, RuntimeDescription } from '../domain/ports/dispatch.ts'
import type { RunLimits } from '../domain/limits.ts'
import type { Run } from '../domain/run.ts'
import type { Berth, ExternalId, Tenant, TenantState } from '../domain/tenant.ts'

/** One page of a list, newest first where things have an age. */
export interface Page<T> {
  readonly data: readonly T[]
  /** Opaque; null on the last page. */
  readonly nextCursor: string | null
}

/** A file of a tenant. */
export interface StoredFile {
  readonly name: string
  readonly bytes: number
  /** ISO 8601. */
  readonly modifiedAt: string
  readonly sha256: string | null
}

/** A tenant's berth; timestamps are ISO 8601. */
export interface WireBerth extends Pick<Berth, 'state' | 'backend' | 'cell' | 'runnerVersion' | 'image' | 'lastError'> {
  readonly id: string
  readonly createdAt: string
  readonly readyAt: string | null
  readonly claimedAt: string | null
}

/** A tenant, as operators see it. `externalId` is null once deleted: the tombstone keeps only a hash. */
export interface WireTenant extends Pick<Tenant, 'externalId' | 'state'> {
  readonly id: string
  readonly berth: WireBerth | null
  readonly createdAt: string
  readonly deletedAt: string | null
}

export interface NewTenant extends Pick<ExternalId, 'project' | 'uid'> {
  readonly identityTenant?: string | undefined
}

/** Those of the users asked for who have a tenant, or had one that was deleted. */
export interface TenantsFound {
  readonly tenants: readonly { readonly uid: string; readonly id: string; readonly state: TenantState }[]
  /** What makes a berth on this server. */
  readonly provisionOn: 'sign_up' | 'verified_email' | 'first_run'
}

export interface TenantLookup extends Pick<ExternalId, 'project'> {
  readonly identityTenant?: string | undefined
  /** At most 100. */
  readonly uids: readonly string[]
}

export interface Move {
  readonly to: 'lambda' | 'lambda-shared'
  /** Files do not move; without this a tenant that has any is not moved. @default false */
  readonly deleteFiles?: boolean | undefined
}

export interface WireKey {
  readonly id: string
  readonly name: string
  readonly role: 'operator' | 'service'
  /** For `service`: the identity project whose tenants it may act for. */
  readonly project: string | null
  readonly createdAt: string
  readonly lastUsedAt: string | null
  readonly revokedAt: string | null
}

interface WireImage {
  readonly image: string
  readonly version: number
}

/** What the berths of one cell run, against what is wanted; timestamps are ISO 8601. */
export interface WireFleet {
  readonly cell: string
  /** Null before the first image. */
  readonly wanted: WireImage | null
  /** On its way. */
  readonly candidate: WireImage | null
  readonly previous: WireImage | null
  readonly fence: number
  /** Why no rollout goes on. */
  readonly held: string | null
  readonly changedBy: string | null
  readonly pins: readonly {
    readonly berthId: string
    readonly image: string
    readonly reason: string
    readonly until: string
  }[]
  /** Berths that the last rollout to the present target could not update. */
  readonly updatesFailed: number
  /** Null until the first listing has ended. */
  readonly listed: {
    readonly at: string
    readonly ageSeconds: number
    readonly berths: number
    readonly images: readonly { readonly image: string; readonly version: number | null; readonly berths: number }[]
    /** The first hundred, those whose update failed before others. */
    readonly laggards: readonly { readonly berthId: string; readonly reason: string }[]
    readonly laggardsTotal: number
  } | null
  readonly problem: string | null
}

/** How a rollout on the server's own machine ended. */
export interface WireRollout {
  readonly state: 'planned' | 'done' | 'some_failed' | 'held' | 'superseded' | 'halted' | 'rolled_back'
  /** Why it stopped; null when it did not. */
  readonly reason: string | null
  readonly target: WireImage
  readonly berths: number
  readonly updated: number
  readonly gone: number
  readonly waves: readonly { readonly name: string; readonly berths: number }[]
  readonly images: Readonly<Record<string, number>>
  readonly failed: readonly { readonly berthId: string; readonly reason: string }[]
  readonly pinned: WireFleet['pins']
}

/** The runner that is wanted on the server's own machine, and the oldest version that may execute a run. */
export interface WireFence extends WireImage {
  readonly fence: number
}

export interface NewKey {
  readonly name: string
  /** @default 'service' */
  readonly role?: 'operator' | 'service' | undefined
  /** Needed for `service`, and not taken for `operator`. */
  readonly project?: string | undefined
}

export interface CreatedKey extends WireKey {
  /** Shown once. */
  readonly secret: string
}

/** What a run has by default, and what a tenant may use at most. */
export interface Limits {
  readonly run: RunLimits
  readonly maxTimeoutMs: number
  readonly maxMemoryMiB: number
  readonly ratePerMinute: number
  readonly concurrency: number
  readonly queue: number
  readonly maxFileBytes: number
  readonly maxTenantBytes: number
}

export interface Me {
  readonly caller: 'operator' | 'service' | 'user'
  readonly tenant: Pick<WireTenant, 'id' | 'state' | 'createdAt'> | null
  readonly berth: Pick<WireBerth, 'id' | 'state' | 'runnerVersion' | 'readyAt'> | null
  readonly limits: Limits
  readonly usedBytes: number
  readonly running: readonly Pick<Run, 'id' | 'status' | 'language' | 'createdAt'>[]
}

export interface Runtimes extends RuntimeDescription {
  readonly capabilities: DispatchCapabilities
  readonly limits: Limits
}

/** Where rows and resources differ, and what closes the gap. */
export interface Reconciliation {
  readonly applied: boolean
  readonly resources: number
  readonly rows: number
  readonly tenants: number
  readonly findings: readonly {
    readonly kind: string
    readonly berthId: string | null
    readonly tenantId: string | null
    readonly action: string
    readonly done: boolean
    readonly error: string | null
    readonly detail?: string | undefined
  }[]
}
