import type { Cell } from '../../aws/cell.ts'
import { createWantedImage } from '../../aws/wanted-image.ts'
import { readSharedFunction } from '../../backends/lambda-shared/shared-fleet.ts'
import { createSystemClock } from '../system-clock.ts'
import type { CellFinding } from './examine-cell.ts'

type Found = Omit<CellFinding, 'name'>

/**
 * The one function of the cell's shared berths. Null when there is none and none is needed: a cell whose tenants all have functions of their
 * own. @throws what AWS throws
 */
export const examineShared = async (
  cell: Cell,
  { isNeeded, signal }: { readonly isNeeded: boolean; readonly signal: AbortSignal },
): Promise<Found | null> => {
  const view = await readSharedFunction(cell, { priority: 'waiting', signal })
  if (view === null) return isNeeded ? { state: 'missing', detail: 'there is none', remedy: remedyOf(cell) } : null
  if (view.state === 'Failed' || view.update === 'Failed') {
    const detail = `Lambda says ${view.reasonCode} ${view.reason}`.trim()
    return { state: view.state === 'Failed' ? 'missing' : 'limited', detail, remedy: remedyOf(cell) }
  }
  const wanted = await createWantedImage(cell, createSystemClock()).read({ signal })
  if (wanted !== null && wanted.image !== view.image)
    return { state: 'limited', detail: `runs ${view.image}, not the wanted image`, remedy: 'berth rollout start' }
  return { state: 'ok', detail: `${view.state.toLowerCase()}, on ${view.image}`, remedy: null }
}

const remedyOf = ({ region, deployment }: Cell): string =>
  `berth init --shared --region ${region} --deployment ${deployment}`
