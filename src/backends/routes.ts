import { LRUCache } from 'lru-cache'
import { BerthError } from '../domain/errors.ts'
import type { BerthId } from '../domain/ids.ts'
import type { Backend, CellBackend } from './backend.ts'

/** A few bytes each; enough that berths which run code are rarely looked up twice. */
const REMEMBERED = 100_000

interface Asking {
  readonly signal: AbortSignal
}

/** Which cell a berth lives in. A row never changes its cell while the berth lives, so what was found stays true. */
export interface Routes {
  readonly cells: readonly CellBackend[]
  /** @throws {BerthError} not_found when the berth has no row, backend_unavailable when its cell is away or not configured */
  of(berthId: BerthId, options: Asking): Promise<Backend>
  /** Null when the berth has no row. @throws {BerthError} backend_unavailable */
  find(berthId: BerthId, options: Asking): Promise<Backend | null>
  /** The cell of the berth's row. @throws {BerthError} backend_unavailable when it is not configured */
  cellOf(berthId: BerthId): Promise<CellBackend | null>
}

export interface RoutesOptions {
  readonly cells: readonly CellBackend[]
  /** The cell of the berth's row; null when there is none. */
  readonly cellOf: (berthId: BerthId) => Promise<string | null>
}

export const createRoutes = ({ cells, cellOf: nameOf }: RoutesOptions): Routes => {
  const byName = new Map(cells.map((cell) => [cell.cell, cell]))
  const known = new LRUCache<BerthId, CellBackend>({ max: REMEMBERED })

  const cellByName = (berthId: BerthId, name: string): CellBackend => {
    const cell = byName.get(name)
    if (cell === undefined)
      throw new BerthError(
        'backend_unavailable',
        `Berth ${berthId} lives in cell ${name}, which this server does not know; add it to BERTH_CELLS`,
      )
    return cell
  }

  const cellOf: Routes['cellOf'] = async (berthId) => {
    const cell = known.get(berthId)
    if (cell !== undefined) return cell
    const name = await nameOf(berthId)
    if (name === null) return null
    const named = cellByName(berthId, name)
    known.set(berthId, named)
    return named
  }

  const find: Routes['find'] = async (berthId, options) => {
    options.signal.throwIfAborted()
    const cell = known.get(berthId) ?? (await cellOf(berthId))
    return cell === null ? null : (cell.opened ?? cell.open(options))
  }

  return {
    cells,
    cellOf,
    find,
    of: async (berthId, options) => {
      const backend = await find(berthId, options)
      if (backend === null) throw new BerthError('not_found', `No cell is known for berth ${berthId}`)
      return backend
    },
  }
}

/** Of every cell, one after the other. Those that answer come first; then the failure of one that did not, so that nobody takes a part for all. */
export async function* fromEveryCell<T>(
  { cells }: Pick<Routes, 'cells'>,
  read: (backend: Backend) => AsyncIterable<T>,
  options: Asking,
): AsyncGenerator<T> {
  const failures: unknown[] = []
  for (const cell of cells) {
    try {
      yield* read(await cell.open(options))
    } catch (error) {
      options.signal.throwIfAborted()
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
}
