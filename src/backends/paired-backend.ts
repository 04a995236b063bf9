import { LRUCache } from 'lru-cache'
import type { BerthId } from '../domain/ids.ts'
import type { Berths } from '../domain/ports/berths.ts'
import { BerthError } from '../domain/errors.ts'
import type { Backend } from './backend.ts'
import { telling } from './telling-trace.ts'

export interface PairedBackendOptions {
  /** Where new berths are made. */
  readonly main: Backend
  /** Where tenants are moved to and from. */
  readonly other: Backend
  /** Name of the backend of the berth's row; null when there is none. */
  readonly backendOf: (berthId: BerthId) => Promise<string | null>
}

/** A few bytes each; enough that berths which run code are rarely looked up twice. */
const REMEMBERED = 100_000

/** Two backends of one cell as one: each call goes to the one that the berth's row names. Where there is no row, both are asked. */
export const createPairedBackend = ({ main, other, backendOf }: PairedBackendOptions): Backend => {
  const both = [main, other] as const
  // A row never changes its backend: who moves gets another berth.
  const known = new LRUCache<BerthId, Backend>({ max: REMEMBERED })

  const find = async (berthId: BerthId): Promise<Backend | null> => {
    const remembered = known.get(berthId)
    if (remembered !== undefined) return remembered
    const name = await backendOf(berthId)
    const found = both.find(({ berths }) => berths.backend === name)
    if (found !== undefined) known.set(berthId, found)
    return found ?? null
  }
  const of = async (berthId: BerthId): Promise<Backend> => {
    const found = await find(berthId)
    if (found === null) throw new BerthError('not_found', `No backend is known for berth ${berthId}`)
    return found
  }

  const { capabilities } = main.dispatch
  return {
    // Both stand in one cell, which has one fence.
    ...(main.fences === undefined ? {} : { fences: main.fences }),
    ...(main.wantedImage === undefined ? {} : { wantedImage: main.wantedImage }),
    berths: pairBerths(both, { of, find }),
    dispatch: {
      capabilities: {
        ...capabilities,
        // A run that names files in a berth without any is refused there.
        files: both.some(({ dispatch }) => dispatch.capabilities.files),
      },
      dispatch: async (work) => (await of(work.berthId)).dispatch.dispatch(work),
      describe: () => main.dispatch.describe(),
    },
    fleet: {
      async *list(options) {
        for (const { fleet } of both) yield* fleet.list(options)
      },
      update: async (berthId, image, options) => (await of(berthId)).fleet.update(berthId, image, options),
      selfTest: async (berthId, options) => (await of(berthId)).fleet.selfTest(berthId, options),
    },
    files: {
      list: async (place, options) => (await of(place.berthId)).files.list(place, options),
      // oxlint-disable-next-line max-params -- as the port has it
      put: async (place, name, body, options) => (await of(place.berthId)).files.put(place, name, body, options),
      get: async (place, name, options) => (await of(place.berthId)).files.get(place, name, options),
      delete: async (place, name, options) => (await of(place.berthId)).files.delete(place, name, options),
      deleteAll: async (place, options) => (await of(place.berthId)).files.deleteAll(place, options),
      listRuns: async (berthId, options) => (await of(berthId)).files.listRuns(berthId, options),
      deleteStrays: async (berthId, options) => (await of(berthId)).files.deleteStrays(berthId, options),
      presign: async (place, name, options) => (await of(place.berthId)).files.presign(place, name, options),
      usage: async (place, options) => (await of(place.berthId)).files.usage(place, options),
    },
  }
}

interface Lookup {
  readonly of: (berthId: BerthId) => Promise<Backend>
  readonly find: (berthId: BerthId) => Promise<Backend | null>
}

const pairBerths = (both: readonly [Backend, Backend], { of, find }: Lookup): Berths => {
  const holdersOf = async (berthId: BerthId): Promise<readonly Backend[]> => {
    const holder = await find(berthId)
    return holder === null ? both : [holder]
  }
  const [main, other] = both
  return {
    backend: main.berths.backend,
    movesTo: [main.berths.backend, other.berths.backend],
    owners: {
      record: async (owner, options) => (await of(owner.berthId)).berths.owners.record(owner, options),
      trace: async (berthId, options) => {
        const holders = await holdersOf(berthId)
        return telling(await Promise.all(holders.map(({ berths }) => berths.owners.trace(berthId, options))))
      },
    },
    create: async (berthId, options) => (await of(berthId)).berths.create(berthId, options),
    find: async (berthId, options) => {
      options.signal.throwIfAborted()
      const found = await Promise.all((await holdersOf(berthId)).map(({ berths }) => berths.find(berthId, options)))
      return found.find((resources) => resources !== null) ?? null
    },
    destroy: async (berthId, options) => {
      const holders = await holdersOf(berthId)
      const reports = await Promise.all(holders.map(({ berths }) => berths.destroy(berthId, options)))
      return {
        deleted: reports.flatMap(({ deleted }) => deleted),
        verifiedAbsent: reports.flatMap(({ verifiedAbsent }) => verifiedAbsent),
      }
    },
    async *list(options) {
      for (const { berths } of both) yield* berths.list(options)
    },
    suspend: async (berthId, options) => (await of(berthId)).berths.suspend(berthId, options),
    resume: async (berthId, options) => (await of(berthId)).berths.resume(berthId, options),
    standing: async (berthId, options) => (await of(berthId)).berths.standing(berthId, options),
    drift: async (berthId, options) => (await of(berthId)).berths.drift?.(berthId, options) ?? [],
  }
}
