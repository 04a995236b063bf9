import { BerthError } from '../domain/errors.ts'
import type { BerthId } from '../domain/ids.ts'
import type { BackendDeps } from './open-backend.ts'

/** @throws {BerthError} backend_unavailable when the berth was made by another backend, whose parts this one does not know */
export const cellOf = async (
  { berths }: Pick<BackendDeps, 'berths'>,
  backends: readonly string[],
  berthId: BerthId,
): Promise<string | null> => {
  const row = await berths.find(berthId)
  if (row === null || backends.includes(row.backend)) return row?.cell ?? null
  throw new BerthError(
    'backend_unavailable',
    `Berth ${berthId} lives on backend ${row.backend}; this server serves ${backends.join(' and ')} (BERTH_BACKEND)`,
  )
}
