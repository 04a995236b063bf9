import type { Dispatcher } from '../dispatcher/dispatcher.ts'
import type { BerthId } from '../domain/ids.ts'
import type { Pin, RunnerImage, Wanted } from '../domain/wanted-image.ts'
import type { Clock } from '../domain/ports/clock.ts'
import type { Dispatch } from '../domain/ports/dispatch.ts'
import type { Events } from '../domain/ports/events.ts'
import type { Caller, VerifyOptions } from '../domain/ports/identity-verifier.ts'
import type { Store } from '../domain/ports/store.ts'
import type { TenantFiles } from '../domain/ports/tenant-files.ts'
import type { Berth, ExternalId } from '../domain/tenant.ts'
import type { HookDoor } from '../identity/hook-door.ts'
import type { HookSource } from '../identity/hook-source.ts'
import type { ServiceKeys } from '../identity/service-keys.ts'
import type { Provisioner } from '../provisioner/provisioner.ts'
import type { ProvisionOn } from './sign-up-policy.ts'
import type { Limits } from './wire.ts'

/** What is known of the fleet in one cell. */
export interface FleetReport {
  readonly cell: string
  readonly wanted: Wanted | null
  readonly updatesFailed: number
  readonly listed: {
    readonly at: Date
    readonly ageSeconds: number
    readonly berths: number
    readonly images: readonly { readonly image: string; readonly version: number | null; readonly berths: number }[]
    readonly laggards: readonly { readonly berthId: BerthId; readonly reason: string }[]
    readonly laggardsTotal: number
  } | null
  readonly problem: string | null
}

/** How a rollout on this machine ended. */
export interface RolloutEnding {
  readonly state: string
  readonly reason: string | null
  readonly target: RunnerImage
  readonly berths: number
  readonly updated: number
  readonly gone: number
  readonly waves: readonly { readonly name: string; readonly berths: number }[]
  readonly images: Readonly<Record<string, number>>
  readonly failed: readonly { readonly berthId: BerthId; readonly reason: string }[]
  readonly pinned: readonly Pin[]
}

/** What the API needs; `main/compose.ts` hands it in. */
export interface HttpDeps {
  readonly fleetWatch: {
    report(options: { signal: AbortSignal }): Promise<readonly FleetReport[]>
    runnerOf(berth: Pick<Berth, 'id' | 'cell'>): Promise<{ image: string; version: number | null; at: Date } | null>
  }
  /** Null where a rollout is made from outside. */
  readonly rollouts: {
    start(options: { dryRun: boolean; fence: number | null; signal: AbortSignal }): Promise<RolloutEnding>
    rollBack(options: { signal: AbortSignal }): Promise<RolloutEnding>
    fence(version: number, options: { signal: AbortSignal }): Promise<RunnerImage & { readonly fence: number }>
  } | null
  readonly dispatcher: Dispatcher
  readonly provisioner: Provisioner
  readonly files: TenantFiles
  readonly backend: Pick<Dispatch, 'capabilities' | 'describe'>
  readonly store: Pick<Store, 'tenants' | 'berths' | 'ping'>
  readonly identity: { verify(credential: string, options: VerifyOptions): Promise<Caller> }
  readonly keys: Pick<ServiceKeys, 'create' | 'list' | 'revoke'>
  /** Null while nothing is configured that opens it: the hook is closed. */
  readonly hookDoor: HookDoor | null
  /** Other identity providers, by the last part of the path that they call. */
  readonly hookSources: ReadonlyMap<string, HookSource>
  /** False for users whose tokens are refused whatever they say: a berth would be nobody's to use. */
  readonly isServed: (user: ExternalId) => boolean
  readonly provisionOn: ProvisionOn
  /** Aborted when the server is about to close: event streams end, and their readers come back elsewhere. */
  readonly stopping: AbortSignal
  readonly clock: Clock
  readonly events: Events
  readonly metrics: { text(): Promise<string>; readonly contentType: string }
}

export interface HttpOptions {
  readonly limits: Limits
  /** Reverse proxies whose X-Forwarded-For is trusted. */
  readonly trustProxyHops: number
  readonly version: string
  /** Refused credentials and hook calls per minute and source address. @default 120 */
  readonly strangerRatePerMinute?: number
  /** Between two comments that keep an event stream alive. @default 15000 */
  readonly heartbeatMs?: number
  /** Time in which a JSON body must have arrived. @default 20000 */
  readonly bodyTimeoutMs?: number
}
