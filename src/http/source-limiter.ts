import { isIP } from 'node:net'
import type { Clock } from '../domain/ports/clock.ts'

export interface SourceLimiterOptions {
  readonly clock: Clock
  readonly ratePerMinute: number
  /** Sources that are remembered; the one seen longest ago makes room. @default 10000 */
  readonly maxSources?: number
}

export interface SourceLimiter {
  /** Seconds until this source may try again; 0 when it may now. Takes nothing. */
  waitSeconds(source: string): number
  take(source: string): void
}

/** One bucket per source address, in bounded memory. A full bucket is a minute's worth. */
export const createSourceLimiter = (options: SourceLimiterOptions): SourceLimiter => {
  const { clock, ratePerMinute, maxSources = 10_000 } = options
  const perMs = ratePerMinute / 60_000
  const buckets = new Map<string, { tokens: number; at: number }>()

  const bucketOf = (source: string): { tokens: number; at: number } => {
    const now = clock.monotonicMs()
    const old = buckets.get(source)
    if (old === undefined) return { tokens: ratePerMinute, at: now }
    return { tokens: Math.min(ratePerMinute, old.tokens + (now - old.at) * perMs), at: now }
  }

  return {
    waitSeconds(source) {
      const { tokens } = bucketOf(source)
      return tokens >= 1 ? 0 : (1 - tokens) / perMs / 1000
    },
    take(source) {
      const bucket = bucketOf(source)
      // Taken out and put back, so that the map's order is by last use.
      buckets.delete(source)
      buckets.set(source, { tokens: Math.max(0, bucket.tokens - 1), at: bucket.at })
      const [oldest] = buckets.keys()
      if (buckets.size > maxSources && oldest !== undefined) buckets.delete(oldest)
    },
  }
}

/**
 * An IPv6 customer has a /64 at least, so that is one source. Behind a proxy the address is what that wrote: some add the port, which is
 * another for each connection, and what is no address is one source with all else that is none.
 */
export const sourceOf = (told: string | undefined): string => {
  const address = bareAddress(told ?? '')
  if (isIP(address) === 0) return 'unknown'
  if (!address.includes(':')) return address
  if (address.startsWith('::ffff:') && address.includes('.')) return address.slice(7)
  const [head = '', tail = ''] = address.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0')
  return [...left, ...zeros, ...right].slice(0, 4).join(':')
}

/** Without the port, as in `203.0.113.7:50123` and `[2001:db8::1]:50123`. */
const bareAddress = (told: string): string =>
  /^\[([\da-f:.]+)\](?::\d+)?$/i.exec(told)?.[1] ?? /^([\d.]+):\d+$/.exec(told)?.[1] ?? told
