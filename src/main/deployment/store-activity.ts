import type { BerthId } from '../../domain/ids.ts'
import type { Store } from '../../domain/ports/store.ts'
import type { Activity } from '../../rollout/rollout-deps.ts'

interface Rows {
  readonly berths: Pick<Store['berths'], 'list'>
  readonly runs: Pick<Store['runs'], 'countByBerth'>
}

const PAGE = 500

/** What the rows tell a rollout: spares are canaries, for no tenant has them, and runs say who is active and how runs end. */
export const createStoreActivity = ({ berths, runs }: Rows): Activity => ({
  canaries: async ({ signal }) => {
    const found: BerthId[] = []
    for (let cursor: string | null = null; ;) {
      signal.throwIfAborted()
      const page: Awaited<ReturnType<Rows['berths']['list']>> = await berths.list({
        cursor,
        limit: PAGE,
        states: ['ready'],
      })
      found.push(...page.entries.filter(({ tenantId }) => tenantId === null).map(({ id }) => id))
      cursor = page.nextCursor
      if (cursor === null) return found
    }
  },
  runsSince: async (since, { signal }) => {
    signal.throwIfAborted()
    return runs.countByBerth({ since })
  },
})
