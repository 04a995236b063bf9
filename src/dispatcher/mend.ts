import { LRUCache } from 'lru-cache'
import type { BerthId } from '../domain/ids.ts'
import type { Clock } from '../domain/ports/clock.ts'
import type { Fleet } from '../domain/ports/fleet.ts'

/** Long enough for the environments of the image before to refuse once each, which ends them. */
const HOLDS_MS = 30_000
const REMEMBERED = 10_000

/** Brings berths past the fence. @throws {BerthError} what Fleet.update throws */
export type Mend = (berthId: BerthId, image: string, options: { signal: AbortSignal }) => Promise<void>

/**
 * One berth to one image once in half a minute: code may make its runner refuse every run, and each look costs a request that other tenants'
 * sign-ups wait for.
 */
export const createMend = (fleet: Pick<Fleet, 'update'>, clock: Pick<Clock, 'monotonicMs'>): Mend => {
  const mended = new LRUCache<BerthId, string>({
    max: REMEMBERED,
    ttl: HOLDS_MS,
    ttlResolution: 0,
    perf: { now: () => clock.monotonicMs() },
  })
  return async (berthId, image, options) => {
    if (mended.get(berthId) === image) return
    await fleet.update(berthId, image, options)
    mended.set(berthId, image)
  }
}
