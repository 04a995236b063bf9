import type { Cell } from '../../aws/cell.ts'
import type { BerthId, RunId } from '../../domain/ids.ts'
import type { RunnerRequest } from '../../domain/runner-protocol.ts'
import { listBerthFunctions } from './lambda-functions.ts'
import { filesPrefixOf, nameOf, runPrefixOf } from './names.ts'

export interface InvokeTarget {
  readonly functionName: string
  /** For a function that keeps its tenants apart: whose environment it is to be. */
  readonly tenantId?: string
}

/** Which function runs the code of a berth, and what the code finds there. */
export interface FunctionUse {
  readonly target: (berthId: BerthId) => InvokeTarget
  readonly prefix: (berthId: BerthId, runId: RunId) => RunnerRequest['prefix']
  /** Tenants' files can be named in a run. */
  readonly files: boolean
  /** One that may be asked what its runner offers; null when there is none. */
  readonly anyBerth: (signal: AbortSignal) => Promise<BerthId | null>
}

/** Every berth has a function and a prefix of its own. */
export const ownFunctions = (cell: Cell): FunctionUse => ({
  target: (berthId) => ({ functionName: nameOf(cell.deployment, berthId) }),
  prefix: (berthId, runId) => {
    const { bucket } = cell.foundation
    return { kind: 's3', bucket, files: filesPrefixOf(berthId), run: runPrefixOf(berthId, runId) }
  },
  files: true,
  // Any berth will do; most accounts show one in the first page.
  anyBerth: async (signal) => {
    for await (const [berthId] of listBerthFunctions(cell, { priority: 'waiting', signal }))
      if (berthId !== undefined) return berthId
    return null
  },
})
