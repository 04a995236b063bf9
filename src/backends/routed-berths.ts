import { isBerthError } from '../domain/errors.ts'
import type { BerthId } from '../domain/ids.ts'
import type { Berths, DestroyReport } from '../domain/ports/berths.ts'
import type { Backend } from './backend.ts'
import { telling } from './telling-trace.ts'
import type { RoutedBackendOptions } from './routed-backend.ts'
import { fromEveryCell, type Routes } from './routes.ts'

type Asking = { readonly signal: AbortSignal }

const NOTHING: DestroyReport = { deleted: [], verifiedAbsent: [] }

export const createRoutedBerths = (
  routes: Routes,
  { backend, movesTo, onUnavailable }: Pick<RoutedBackendOptions, 'backend' | 'movesTo' | 'onUnavailable'>,
): Berths => {
  /** Where the berth is when no row says so: every cell is asked. */
  const holdersOf = async (berthId: BerthId, options: Asking): Promise<readonly Backend[]> => {
    const known = await routes.find(berthId, options)
    return known === null ? Promise.all(routes.cells.map((cell) => cell.open(options))) : [known]
  }

  return {
    backend,
    ...(movesTo === undefined ? {} : { movesTo }),
    owners: {
      record: async (owner, options) => (await routes.of(owner.berthId, options)).berths.owners.record(owner, options),
      trace: async (berthId, options) => {
        const holders = await holdersOf(berthId, options)
        return telling(await Promise.all(holders.map(({ berths }) => berths.owners.trace(berthId, options))))
      },
    },
    create: async (berthId, options) => {
      try {
        await (await routes.of(berthId, options)).berths.create(berthId, options)
      } catch (error) {
        const cell = isBerthError(error) && error.code === 'backend_unavailable' ? await routes.cellOf(berthId) : null
        if (cell !== null) onUnavailable?.(cell.cell)
        throw error
      }
    },
    find: async (berthId, options) => {
      const holders = await holdersOf(berthId, options)
      const found = await Promise.all(holders.map(({ berths }) => berths.find(berthId, options)))
      return found.find((resources) => resources !== null) ?? null
    },
    destroy: async (berthId, options) => {
      const holders = await holdersOf(berthId, options)
      const reports = await Promise.all(holders.map(({ berths }) => berths.destroy(berthId, options)))
      return reports.reduce(joined, NOTHING)
    },
    suspend: async (berthId, options) => (await routes.of(berthId, options)).berths.suspend(berthId, options),
    resume: async (berthId, options) => (await routes.of(berthId, options)).berths.resume(berthId, options),
    standing: async (berthId, options) => (await routes.of(berthId, options)).berths.standing(berthId, options),
    drift: async (berthId, options) => (await routes.of(berthId, options)).berths.drift?.(berthId, options) ?? [],
    list: (options) => fromEveryCell(routes, (cell) => cell.berths.list(options), options),
  }
}

const joined = (one: DestroyReport, other: DestroyReport): DestroyReport => ({
  deleted: [...one.deleted, ...other.deleted],
  verifiedAbsent: [...one.verifiedAbsent, ...other.verifiedAbsent],
})
