/** 30 random bits of an id from `Ids.secret` as a number from 0 up to, not including, 1. */
export const fractionOf = (secret: string): number => {
  let value = 0
  for (const character of secret.slice(0, 6)) value = value * 32 + '234567abcdefghijklmnopqrstuvwxyz'.indexOf(character)
  return value / 32 ** 6
}

/**
 * Full jitter: anything from 0 to an exponentially growing bound, so that many who failed together do not return together.
 * @param options.attempt counts from 1
 */
export const backoffMs = (options: { attempt: number; baseMs: number; maxMs: number; fraction: number }): number =>
  Math.ceil(options.fraction * Math.min(options.maxMs, options.baseMs * 2 ** Math.min(options.attempt - 1, 30)))
