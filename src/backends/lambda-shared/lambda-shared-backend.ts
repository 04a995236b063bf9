import type { Cell } from '../../aws/cell.ts'
import { createWantedFence } from '../../aws/wanted-fence.ts'
import { createWantedImage } from '../../aws/wanted-image.ts'
import type { Berths } from '../../domain/ports/berths.ts'
import type { Clock } from '../../domain/ports/clock.ts'
import type { Dispatch } from '../../domain/ports/dispatch.ts'
import type { Events } from '../../domain/ports/events.ts'
import type { WantedReader } from '../../domain/ports/fleet-cell.ts'
import type { Fences } from '../../domain/ports/fences.ts'
import type { TenantFiles } from '../../domain/ports/tenant-files.ts'
import { createMarkedBerths } from './marked-berths.ts'
import { createNoFiles } from './no-files.ts'
import { createSharedDispatch } from './shared-dispatch.ts'
import { createSharedFleet, type SharedFleet } from './shared-fleet.ts'

export interface LambdaSharedBackendDeps {
  readonly cell: Cell
  readonly clock: Clock
  readonly events: Events
}

export interface LambdaSharedBackendOptions {
  /** Runs at once over all tenants of the cell; no more than the clients have connections for. @default 512 */
  readonly maxConcurrency?: number
}

export interface LambdaSharedBackend {
  readonly berths: Berths
  readonly dispatch: Dispatch
  readonly fleet: SharedFleet
  readonly files: TenantFiles
  readonly fences: Fences
  readonly wantedImage: WantedReader
}

/** All tenants of the cell share one function and one role; Lambda keeps their environments apart. */
export const createLambdaSharedBackend = (
  { cell, clock, events }: LambdaSharedBackendDeps,
  { maxConcurrency = 512 }: LambdaSharedBackendOptions = {},
): LambdaSharedBackend => {
  const wantedImage = createWantedImage(cell, clock)
  const wanted = () => wantedImage.read({ signal: new AbortController().signal })
  return {
    berths: createMarkedBerths(cell),
    dispatch: createSharedDispatch(cell, { clock, events, wanted, maxConcurrency }),
    fleet: createSharedFleet(cell, { clock }),
    files: createNoFiles(),
    fences: createWantedFence(wantedImage),
    wantedImage,
  }
}
