import type { Cell } from '../aws/cell.ts'
import { readFoundation } from '../aws/open-cell.ts'
import { readQuotas } from '../aws/quotas.ts'
import type { Backend } from '../backends/backend.ts'
import { createLambdaBackend } from '../backends/lambda/lambda-backend.ts'
import { stackWork } from '../backends/lambda/stack-berths.ts'
import { createLambdaSharedBackend } from '../backends/lambda-shared/lambda-shared-backend.ts'
import type { ProvisionerOptions } from '../provisioner/provisioner.ts'
import type { BackendDeps } from './open-backend.ts'

export interface OpenedKind {
  readonly backend: Backend
  /** Works until the signal is aborted; then rejects with its reason. Null when there is nothing to do. */
  readonly background: ((signal: AbortSignal) => Promise<never>) | null
}

/** What the backends of a cell do differently. */
export interface CellKind {
  open(cell: Cell, deps: BackendDeps): OpenedKind
  /** Berths that AWS has room for besides the living ones. */
  signUpsLeft(cell: Cell, options: { readonly living: number; readonly signal: AbortSignal }): Promise<number>
  readonly provisioning: Partial<ProvisionerOptions>
}

const lambda: CellKind = {
  open: (cell, deps) => {
    const backend = createLambdaBackend({ ...deps, cell })
    return { backend, background: (signal) => backend.keepAlive.start(signal) }
  },
  signUpsLeft: async (cell, { living, signal }) =>
    (await readQuotas(cell, living, { priority: 'signUp', signal })).berthsLeft,
  provisioning: stackWork,
}

const lambdaShared: CellKind = {
  open: (cell, deps) => ({ backend: createLambdaSharedBackend({ ...deps, cell }), background: null }),
  // A berth is an object of a few bytes: no quota bounds them, and asking only shows that the cell answers.
  signUpsLeft: async (cell, { signal }) => {
    await readFoundation(cell, signal)
    return Number.MAX_SAFE_INTEGER
  },
  provisioning: {},
}

export const cellKinds = { lambda, 'lambda-shared': lambdaShared } as const
export type CellKindName = keyof typeof cellKinds
