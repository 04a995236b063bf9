import type { SharedFleet } from '../../backends/lambda-shared/shared-fleet.ts'
import type { BerthId } from '../../domain/ids.ts'
import type { Dispatch } from '../../domain/ports/dispatch.ts'
import type { Fleet } from '../../domain/ports/fleet.ts'

type Runs = Pick<Dispatch, 'dispatch'>

export interface CellFleetOptions {
  readonly own: { readonly fleet: Fleet; readonly dispatch: Runs }
  readonly shared: { readonly fleet: SharedFleet; readonly dispatch: Runs }
}

/** All berths of a cell for a rollout: those with a function of their own, and those that share one, which an update of any of them brings. */
export const createCellFleet = ({
  own,
  shared,
}: CellFleetOptions): { readonly fleet: Fleet; readonly dispatch: Runs } => {
  /** Null before the first listing. */
  let sharing: ReadonlySet<BerthId> | null = null
  /** By image, since the last listing: one update is enough for all who share the function. */
  const brought = new Map<string, Promise<void>>()
  const isShared = async (berthId: BerthId, options: { signal: AbortSignal }): Promise<boolean> => {
    if (sharing?.has(berthId) === true) return true
    // Where nobody shares, nobody is asked for.
    return sharing?.size === 0 ? false : shared.fleet.has(berthId, options)
  }
  const of = async (berthId: BerthId, options: { signal: AbortSignal }) =>
    (await isShared(berthId, options)) ? shared : own

  const bringAll = (image: string, options: { signal: AbortSignal }): Promise<void> => {
    const under = brought.get(image) ?? shared.fleet.updateAll(image, options)
    brought.set(image, under)
    under.catch(() => brought.delete(image))
    return under
  }

  return {
    fleet: {
      async *list(options) {
        yield* own.fleet.list(options)
        brought.clear()
        const found = new Set<BerthId>()
        for await (const member of shared.fleet.list(options)) {
          found.add(member.berthId)
          yield member
        }
        sharing = found
      },
      update: async (berthId, image, options) =>
        (await isShared(berthId, options)) ? bringAll(image, options) : own.fleet.update(berthId, image, options),
      selfTest: async (berthId, options) => (await of(berthId, options)).fleet.selfTest(berthId, options),
    },
    dispatch: { dispatch: async (work) => (await of(work.berthId, work)).dispatch.dispatch(work) },
  }
}
