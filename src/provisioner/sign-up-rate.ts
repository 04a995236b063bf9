import { LRUCache } from 'lru-cache'
import { BerthError } from '../domain/errors.ts'
import type { Clock } from '../domain/ports/clock.ts'

/** Projects come from the configuration, keys and signed hooks: more than this is not in use at once. */
const MAX_PROJECTS = 10_000

export interface SignUpRate {
  /** Takes one place of the project; `giveBack` when nobody was made after all. Null when there is none. */
  take(project: string): { readonly giveBack: () => void } | null
  /** @throws {BerthError} rate_limited */
  refuse(project: string): never
}

/** How fast one identity project may bring new tenants, by whatever way they come. A full bucket is a minute's worth. */
export const createSignUpRate = (clock: Clock, perMinute: number): SignUpRate => {
  const perMs = perMinute / 60_000
  const buckets = new LRUCache<string, { tokens: number; at: number }>({ max: MAX_PROJECTS })

  const bucketOf = (project: string): { tokens: number; at: number } => {
    const now = clock.monotonicMs()
    const bucket = buckets.get(project) ?? { tokens: perMinute, at: now }
    bucket.tokens = Math.min(perMinute, bucket.tokens + (now - bucket.at) * perMs)
    bucket.at = now
    buckets.set(project, bucket)
    return bucket
  }

  return {
    take(project) {
      const bucket = bucketOf(project)
      if (bucket.tokens < 1) return null
      bucket.tokens -= 1
      return {
        giveBack: () => {
          bucket.tokens += 1
        },
      }
    },
    refuse(project) {
      const retryAfterSeconds = Math.max(1, Math.ceil((1 - bucketOf(project).tokens) / perMs / 1000))
      throw new BerthError(
        'rate_limited',
        `More than ${perMinute} new tenants of this identity project came within a minute (BERTH_SIGN_UPS_PER_MINUTE).`,
        { retryAfterSeconds, data: { limit: 'BERTH_SIGN_UPS_PER_MINUTE' } },
      )
    },
  }
}
