import { join } from 'node:path'
import type { Backend } from '../backends/backend.ts'
import { createRoutedBackend } from '../backends/routed-backend.ts'
import { createLocalBackend } from '../backends/local/local-backend.ts'
import type { Clock } from '../domain/ports/clock.ts'
import type { Events } from '../domain/ports/events.ts'
import type { FleetCell } from '../domain/ports/fleet-cell.ts'
import type { Ids } from '../domain/ports/ids.ts'
import type { BerthStore } from '../domain/ports/store.ts'
import type { PickCell, ProvisionerOptions } from '../provisioner/provisioner.ts'
import type { Activity } from '../rollout/rollout-deps.ts'
import { cellOf } from './cell-of.ts'
import type { CellKindName } from './cell-kinds.ts'
import type { Config } from './config.ts'
import { createLocalRollouts, type LocalRollouts } from './local-rollouts.ts'
import { openLocalWanted, readRunBefore } from './local-wanted.ts'

export interface BackendDeps {
  readonly clock: Clock
  readonly ids: Ids
  readonly events: Events
  readonly berths: Pick<BerthStore, 'find' | 'countByCell'>
}

export interface Worker {
  start(signal: AbortSignal): Promise<void>
}

export interface OpenedBackend extends Backend, AsyncDisposable {
  readonly pickCell: PickCell
  /** How the provisioner works with it, where its defaults do not fit. */
  readonly provisioning: Partial<ProvisionerOptions>
  readonly fleetCells: readonly FleetCell[]
  /** Rollouts that the server itself makes; absent where they are made from outside, with rights that no server has. */
  readonly rollouts?: (activity: Activity) => LocalRollouts
  /** What the backend does besides answering calls. */
  readonly workers: readonly Worker[]
}

const openLocal = async (config: Config, deps: BackendDeps): Promise<OpenedBackend> => {
  await using resources = new AsyncDisposableStack()
  const { dataDir } = config
  const path = join(dataDir, 'wanted.json')
  const before = await readRunBefore(path)
  const backend = resources.use(await createLocalBackend({ ...deps, dataDir, before, ...config.local }))
  const wanted = await openLocalWanted(path, backend.fleet.present())
  // A berth of another backend has nothing here, and "nothing is left of it" would be said of what lives on elsewhere.
  const { berths } = createRoutedBackend({
    cells: [{ cell: 'local', opened: backend, open: async () => backend }],
    cellOf: (berthId) => cellOf(deps, ['local'], berthId),
    backend: 'local',
  })
  const { fleet, dispatch } = backend
  resources.move()
  return {
    ...backend,
    berths,
    fences: wanted.fences,
    fleetCells: [{ cell: 'local', isNear: true, open: async () => ({ fleet, wanted }) }],
    rollouts: createLocalRollouts({ ...deps, fleet, dispatch, wanted }),
    pickCell: async () => 'local',
    provisioning: {},
    workers: [],
  }
}

type Open = (config: Config, deps: BackendDeps) => Promise<OpenedBackend>

// Loaded when wanted: a server on one machine starts without the AWS SDK.
const openOnAws =
  (kind: CellKindName): Open =>
  async (config, deps) =>
    (await import('./open-cells.ts')).openCells(config, kind, deps)

const openers: Readonly<Record<Config['backend'], Open>> = {
  local: openLocal,
  lambda: openOnAws('lambda'),
  'lambda-shared': openOnAws('lambda-shared'),
}

/** @throws {BerthError} sandbox_unavailable, config_invalid, backend_unavailable when no cell answers */
export const openBackend = (config: Config, deps: BackendDeps): Promise<OpenedBackend> =>
  openers[config.backend](config, deps)
