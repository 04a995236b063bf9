import type { Cell } from '../../aws/cell.ts'
import { createWantedFence } from '../../aws/wanted-fence.ts'
import { createWantedImage, type WantedImage } from '../../aws/wanted-image.ts'
import type { Clock } from '../../domain/ports/clock.ts'
import type { Dispatch } from '../../domain/ports/dispatch.ts'
import type { Events } from '../../domain/ports/events.ts'
import type { Fences } from '../../domain/ports/fences.ts'
import type { Fleet } from '../../domain/ports/fleet.ts'
import type { Ids } from '../../domain/ports/ids.ts'
import type { TenantFiles } from '../../domain/ports/tenant-files.ts'
import { createKeepAlive, type KeepAlive } from './keep-alive.ts'
import { createLambdaDispatch } from './lambda-dispatch.ts'
import { createLambdaFleet } from './lambda-fleet.ts'
import { createS3Files } from './s3-files.ts'
import { createStackBerths, type StackBerths, type StackBerthsOptions } from './stack-berths.ts'

export interface LambdaBackendDeps {
  readonly cell: Cell
  readonly clock: Clock
  readonly ids: Pick<Ids, 'berthId'>
  readonly events: Events
}

export interface LambdaBackendOptions extends StackBerthsOptions {
  /** Runs at once over all tenants of the cell; no more than the clients have connections for. @default 512 */
  readonly maxConcurrency?: number
}

export interface LambdaBackend {
  readonly berths: StackBerths
  readonly dispatch: Dispatch
  readonly fleet: Fleet
  readonly files: TenantFiles
  readonly fences: Fences
  readonly keepAlive: KeepAlive
  readonly wantedImage: WantedImage
}

/** Every tenant of the cell has a function, a role and a prefix of their own. */
export const createLambdaBackend = (deps: LambdaBackendDeps, options: LambdaBackendOptions = {}): LambdaBackend => {
  const { cell, clock, ids, events } = deps
  const { maxConcurrency = 512 } = options
  const wantedImage = createWantedImage(cell, clock)
  const wanted = () => wantedImage.read({ signal: new AbortController().signal })
  return {
    berths: createStackBerths({ cell, clock, wantedImage }, options),
    dispatch: createLambdaDispatch(cell, { clock, events, wanted, maxConcurrency }),
    // The server's own fleet updates what a run waits for and tests what a sign-up waits for; rollouts have one of their own.
    fleet: createLambdaFleet(cell, { clock, ids, priority: 'waiting' }),
    files: createS3Files(cell),
    fences: createWantedFence(wantedImage),
    keepAlive: createKeepAlive(cell, { clock, events }),
    wantedImage,
  }
}
