import type { Berths } from '../domain/ports/berths.ts'
import type { Dispatch } from '../domain/ports/dispatch.ts'
import type { Fences } from '../domain/ports/fences.ts'
import type { WantedReader } from '../domain/ports/fleet-cell.ts'
import type { Fleet } from '../domain/ports/fleet.ts'
import type { TenantFiles } from '../domain/ports/tenant-files.ts'

/** Where berths live, as the services see it. */
export interface Backend {
  readonly berths: Berths
  readonly dispatch: Dispatch
  readonly fleet: Fleet
  readonly files: TenantFiles
  /** Absent where something else asks for the fence, or nothing does. */
  readonly fences?: Fences
  /** What a cell's rollouts go by; absent where that is kept elsewhere. */
  readonly wantedImage?: WantedReader
}

/** A cell that may be away when it is first wanted. */
export interface CellBackend {
  /** As the rows of its berths call it. */
  readonly cell: string
  /** The same backend each time. @throws {BerthError} backend_unavailable, config_invalid */
  open(options: { readonly signal: AbortSignal }): Promise<Backend>
  /** What `open` gave; null before it first succeeded. */
  readonly opened: Backend | null
}
