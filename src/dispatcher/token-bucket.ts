/** Lets `perSecond` through in the long run and `burst` at once after a rest. */
export interface TokenBucket {
  tokens: number
  atMs: number
}

export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

export const createTokenBucket = ({ burst }: Rate, nowMs: number): TokenBucket => ({ tokens: burst, atMs: nowMs })

/** Takes one token and returns 0, or takes none and returns the milliseconds after which there is one. */
export const takeToken = (bucket: TokenBucket, rate: Rate, nowMs: number): number => {
  const elapsedMs = Math.max(0, nowMs - bucket.atMs)
  bucket.tokens = Math.min(rate.burst, bucket.tokens + (elapsedMs * rate.perSecond) / 1000)
  bucket.atMs = Math.max(bucket.atMs, nowMs)
  // Sums of fractions may fall short of the whole by a hair; who waited as long as told must pass.
  if (bucket.tokens < 1 - 1e-9) return ((1 - bucket.tokens) * 1000) / rate.perSecond
  bucket.tokens = Math.max(0, bucket.tokens - 1)
  return 0
}

/** After this rest a bucket is full again and need not be remembered. */
export const fullAfterMs = ({ perSecond, burst }: Rate): number => Math.ceil((burst * 1000) / perSecond)
