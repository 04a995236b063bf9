import type { Backend } from './backend.ts'
import { createRoutedBerths } from './routed-berths.ts'
import { createRoutedDispatch } from './routed-dispatch.ts'
import { createRoutedFleet } from './routed-fleet.ts'
import { createRoutedFiles } from './routed-files.ts'
import { createRoutes, type RoutesOptions } from './routes.ts'

export interface RoutedBackendOptions extends RoutesOptions {
  /** Name of the backend that all the cells have. */
  readonly backend: string
  /** As `Berths` has it. */
  readonly movesTo?: readonly string[]
  /** A berth could not be made there because the cell did not do its part. */
  readonly onUnavailable?: (cell: string) => void
}

/** Many cells as one backend: each call goes to the cell that the berth's row names. */
export const createRoutedBackend = (options: RoutedBackendOptions): Backend => {
  const routes = createRoutes(options)
  return {
    berths: createRoutedBerths(routes, options),
    dispatch: createRoutedDispatch(routes),
    fleet: createRoutedFleet(routes),
    files: createRoutedFiles(routes),
    fences: {
      of: async (berthId, options) => (await routes.of(berthId, options)).fences?.of(berthId, options) ?? null,
    },
  }
}
