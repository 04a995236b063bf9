import { randomFillSync } from 'node:crypto'
import type { BerthId, KeyId, RunId, TenantId } from '../domain/ids.ts'
import type { Clock } from '../domain/ports/clock.ts'
import type { Ids } from '../domain/ports/ids.ts'

/** In the order of ASCII, so that text that encodes a rising number sorts like the number. */
const ALPHABET = '234567abcdefghijklmnopqrstuvwxyz'
const TIME_CHARACTERS = 9

const POOL_BYTES = 4096

/** Bytes are drawn in advance: to draw a few takes as long as to draw thousands, and every run needs some. */
const createRandomText = (): ((length: number) => string) => {
  const pool = Buffer.alloc(POOL_BYTES)
  let used = POOL_BYTES
  return (length) => {
    if (used + length > POOL_BYTES) {
      randomFillSync(pool)
      used = 0
    }
    const bytes = pool.subarray(used, used + length)
    used += length
    let text = ''
    // 256 is a multiple of 32, so no character is likelier than another.
    for (const byte of bytes) text += ALPHABET.charAt(byte & 31)
    // What became a secret stays nowhere else.
    bytes.fill(0)
    return text
  }
}

const timeText = (ms: number): string => {
  let text = ''
  for (let rest = ms; text.length < TIME_CHARACTERS; rest = Math.floor(rest / 32))
    text = ALPHABET.charAt(rest % 32) + text
  return text
}

export const createRandomIds = (clock: Pick<Clock, 'now'>): Ids => {
  const randomText = createRandomText()
  return {
    tenantId: () => `t${randomText(15)}` as TenantId,
    berthId: () => `b${randomText(15)}` as BerthId,
    runId: () => `r${timeText(clock.now().getTime())}${randomText(14)}` as RunId,
    keyId: () => `k${randomText(15)}` as KeyId,
    secret: () => randomText(32),
  }
}
