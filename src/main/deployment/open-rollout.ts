import { openCell } from '../../aws/open-cell.ts'
import { awsRates } from '../../aws/pacer-rates.ts'
import { createWantedImage } from '../../aws/wanted-image.ts'
import { createLambdaDispatch } from '../../backends/lambda/lambda-dispatch.ts'
import { createLambdaFleet } from '../../backends/lambda/lambda-fleet.ts'
import { createSharedDispatch } from '../../backends/lambda-shared/shared-dispatch.ts'
import { createSharedFleet } from '../../backends/lambda-shared/shared-fleet.ts'
import { BerthError } from '../../domain/errors.ts'
import type { BerthId, TenantId } from '../../domain/ids.ts'
import type { Events } from '../../domain/ports/events.ts'
import type { Pin, RunnerImage, Wanted } from '../../domain/wanted-image.ts'
import { type FleetStatus, fleetStatusOf } from '../../rollout/fleet-status.ts'
import { pinBerth, type PinOrder } from '../../rollout/pin-berth.ts'
import { createProbe } from '../../rollout/probe-runs.ts'
import { rollBack } from '../../rollout/roll-back.ts'
import type { RolloutDeps } from '../../rollout/rollout-deps.ts'
import { defaultRolloutSettings, type RolloutScope, type RolloutSettings } from '../../rollout/rollout-options.ts'
import type { RolloutReport } from '../../rollout/rollout-report.ts'
import { runRollout } from '../../rollout/run-rollout.ts'
import { pause, raiseFence, resume, unpin } from '../../rollout/wanted-changes.ts'
import { openStore } from '../../store/open-store.ts'
import { createRandomIds } from '../random-ids.ts'
import { type NamedBerths, tenantsIn } from './berths-of-tenants.ts'
import { createCellFleet } from './cell-fleet.ts'
import type { Deployment } from './deployment.ts'
import { signedWanted } from './signed-wanted.ts'
import { createStoreActivity } from './store-activity.ts'

export type RolloutOutcome = RolloutReport
export interface RolloutStatus extends FleetStatus {
  /** With the tenant whose berth it is, where a store can be asked. */
  readonly pins: readonly (Pin & { readonly tenantId: TenantId | null })[]
}

export interface StartOptions {
  /** Null goes on with what is on its way. */
  readonly target: RunnerImage | null
  readonly onUnhealthy: 'halt' | 'roll_back'
  readonly scope: RolloutScope
  readonly dryRun: boolean
  readonly settings: Partial<RolloutSettings>
}

/** Rollouts of one cell. */
export interface CellRollout extends AsyncDisposable {
  /** Updates that AWS takes per second; the rest of the control plane shares it. */
  readonly limitPerSecond: number
  start(options: StartOptions): Promise<RolloutOutcome>
  /** Takes the pause away, then goes on with what is on its way. */
  resume(options: Omit<StartOptions, 'target'>): Promise<RolloutOutcome>
  rollBack(settings: Partial<RolloutSettings>): Promise<RolloutOutcome>
  status(): Promise<RolloutStatus>
  pause(reason: string): Promise<Wanted>
  raiseFence(version: number): Promise<Wanted>
  /** @param names how whoever asked for the berth called it */
  pin(one: PinOrder, names?: NamedBerths): Promise<Wanted>
  unpin(berthId: BerthId): Promise<Wanted>
}

interface Opening {
  /** The store that several servers share; null where none can be asked, and then nothing is known of activity. */
  readonly databaseUrl: string | null
  readonly events: Events
  readonly signal: AbortSignal
}

/** A sample of a wave, and as many berths beside it whose answers are timed too. */
const PROBES_AT_ONCE = 16

/** @throws {BerthError} config_invalid when the cell has no foundation */
export const openRollout = async (
  deployment: Deployment,
  { databaseUrl, events, signal }: Opening,
): Promise<CellRollout> => {
  const { clock } = deployment
  const cell = await openCell({ ...deployment.cell, signal })
  const ids = createRandomIds(clock)
  const wanted = signedWanted(cell, createWantedImage(cell, clock))
  const runs = { clock, events, wanted: () => wanted.read({ signal }), maxConcurrency: PROBES_AT_ONCE }
  const { fleet, dispatch } = createCellFleet({
    own: { fleet: createLambdaFleet(cell, { clock, ids }), dispatch: createLambdaDispatch(cell, runs) },
    shared: { fleet: createSharedFleet(cell, { clock }), dispatch: createSharedDispatch(cell, runs) },
  })
  const store = databaseUrl === null ? null : await openStore({ databaseUrl, dataDir: '', clock })
  const activity = store === null ? null : createStoreActivity(store)
  const deps: RolloutDeps = { fleet, wanted, activity, clock, ids, events, probe: createProbe(dispatch, ids) }
  const change = (make: (present: Wanted) => Wanted): Promise<Wanted> =>
    wanted.change((present) => make(present ?? noImage()), { signal })
  const start: CellRollout['start'] = (options) =>
    runRollout(deps, { ...options, ...settingsOf(options.settings), signal })
  return {
    limitPerSecond: awsRates.lambda.perSecond,
    start,
    resume: async (options) => {
      await change(resume)
      return start({ ...options, target: null })
    },
    rollBack: (settings) => rollBack(deps, { ...settingsOf(settings), signal }),
    status: async () => {
      const present = (await wanted.read({ signal })) ?? noImage()
      const members = await Array.fromAsync(fleet.list({ signal }))
      const status = fleetStatusOf(present, members, clock.now())
      const owners = store === null ? null : await tenantsIn(store.berths, status.pins)
      const pins = status.pins.map(({ berthId, image, reason, until }) => ({
        berthId,
        tenantId: owners?.get(berthId) ?? null,
        image,
        reason,
        until,
      }))
      return { ...status, pins }
    },
    pause: (reason) => change((present) => pause(present, reason)),
    raiseFence: (version) => change((present) => raiseFence(present, version)),
    pin: (one, names) => pinBerth(deps, { one, ...(names && { names }), signal }),
    unpin: (berthId) => change((present) => unpin(present, berthId)),
    [Symbol.asyncDispose]: async () => store?.[Symbol.asyncDispose](),
  }
}

const settingsOf = (changes: Partial<RolloutSettings>) => ({
  settings: { ...defaultRolloutSettings, timesTogether: true, ...changes },
})

const noImage = (): never => {
  throw new BerthError('conflict', 'no image is wanted yet', {
    data: { remedy: 'Name one: berth rollout start --image <repository>@sha256:<digest>.' },
  })
}
