import type { Cell } from '../aws/cell.ts'
import { createPairedBackend } from '../backends/paired-backend.ts'
import { type CellKindName, cellKinds, type OpenedKind } from './cell-kinds.ts'
import type { BackendDeps } from './open-backend.ts'

const others: Readonly<Record<CellKindName, CellKindName>> = { lambda: 'lambda-shared', 'lambda-shared': 'lambda' }

/** Every cell serves both kinds of berths, so that a tenant can be moved; new ones are made where `main` says. */
export const openBothKinds = (main: CellKindName, cell: Cell, deps: BackendDeps): OpenedKind => {
  const first = cellKinds[main].open(cell, deps)
  const second = cellKinds[others[main]].open(cell, deps)
  return {
    backend: createPairedBackend({
      main: first.backend,
      other: second.backend,
      backendOf: async (berthId) => (await deps.berths.find(berthId))?.backend ?? null,
    }),
    background: first.background ?? second.background,
  }
}
