import type { Cell } from '../../aws/cell.ts'
import type { Priority } from '../../aws/pacer.ts'
import type { Clock } from '../../domain/ports/clock.ts'
import type { Fleet } from '../../domain/ports/fleet.ts'
import type { Ids } from '../../domain/ports/ids.ts'
import { listMembers } from './lambda-members.ts'
import { runLambdaSelfTest } from './lambda-self-test.ts'
import { updateFunction } from './lambda-update.ts'
import { nameOf } from './names.ts'

export interface LambdaFleetOptions {
  readonly clock: Pick<Clock, 'monotonicMs' | 'sleep'>
  readonly ids: Pick<Ids, 'berthId'>
  /** Who waits for an update; nobody does for a listing. @default rollout */
  readonly priority?: Priority
}

/** Every berth of the cell has a function and an image of its own. */
export const createLambdaFleet = (cell: Cell, { clock, ids, priority = 'rollout' }: LambdaFleetOptions): Fleet => {
  const waiting = { count: 0 }
  return {
    list: ({ signal }) => listMembers(cell, { priority: 'rollout', signal }),

    update: (berthId, image, { signal }) => {
      const functionName = nameOf(cell.deployment, berthId)
      return updateFunction(cell, { functionName, image, clock, priority, waiting, signal })
    },

    selfTest: (berthId, { signal }) => runLambdaSelfTest(cell, { berthId, ids, signal }),
  }
}
