import type { Cell } from '../../aws/cell.ts'
import type { BerthId } from '../../domain/ids.ts'
import type { FunctionUse } from '../lambda/function-use.ts'
import { markedBerths } from './marks.ts'

/** Stack, function and role of `templates/shared.yaml`. No berth's id is "shared". */
export const sharedNameOf = (deployment: string): string => `${deployment}-shared`

/** All berths of the cell in one function; whose environment it is, is the berth's id. */
export const sharedFunction = (cell: Cell): FunctionUse => ({
  target: (berthId) => ({ functionName: sharedNameOf(cell.deployment), tenantId: berthId }),
  prefix: () => ({ kind: 'none' }),
  files: false,
  anyBerth: async (signal): Promise<BerthId | null> => {
    for await (const berthId of markedBerths(cell, signal)) return berthId
    return null
  },
})
