import type { BerthId } from '../../domain/ids.ts'
import type { Page, PageRequest, Store } from '../../domain/ports/store.ts'
import type { Activity } from '../../rollout/rollout-deps.ts'

interface Rows {
  readonly tenants: Pick<Store['tenants'], 'list'>
  readonly berths: Pick<Store['berths'], 'list' | 'findByTenant'>
  readonly runs: Pick<Store['runs'], 'countByBerth'>
}

const PAGE = 500

/** What the rows tell a rollout: spares are canaries, for no tenant has them, and runs say who is active and how runs end. */
export const createStoreActivity = ({ tenants, berths, runs }: Rows): Activity => ({
  canaries: async ({ signal }) => {
    const found: BerthId[] = []
    for await (const { id, tenantId } of entriesOf((page) => berths.list({ ...page, states: ['ready'] }), signal))
      if (tenantId === null) found.push(id)
    return found
  },
  suspended: async ({ signal }) => {
    const found: BerthId[] = []
    for await (const { id } of entriesOf((page) => tenants.list({ ...page, state: 'suspended' }), signal)) {
      const berth = await berths.findByTenant(id)
      if (berth !== null) found.push(berth.id)
    }
    return found
  },
  runsSince: async (since, { signal }) => {
    signal.throwIfAborted()
    return runs.countByBerth({ since })
  },
})

async function* entriesOf<T>(list: (page: PageRequest) => Promise<Page<T>>, signal: AbortSignal): AsyncGenerator<T> {
  for (let cursor: string | null = null; ;) {
    signal.throwIfAborted()
    const page: Page<T> = await list({ cursor, limit: PAGE })
    yield* page.entries
    if (page.nextCursor === null) return
    cursor = page.nextCursor
  }
}
