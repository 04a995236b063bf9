import { randomBytes } from 'node:crypto'
import type { BerthId, KeyId, RunId, TenantId } from '../domain/ids.ts'
import type { Clock } from '../domain/ports/clock.ts'
import type { Ids } from '../domain/ports/ids.ts'

/** In the order of ASCII, so that text that encodes a rising number sorts like the number. */
const ALPHABET = '234567abcdefghijklmnopqrstuvwxyz'
const TIME_CHARACTERS = 9

/** 256 is a multiple of 32, so no character is likelier than another. */
const randomText = (length: number): string => {
  let text = ''
  for (const byte of randomBytes(length)) text += ALPHABET.charAt(byte & 31)
  return text
}

const timeText = (ms: number): string => {
  let text = ''
  for (let rest = ms; text.length < TIME_CHARACTERS; rest = Math.floor(rest / 32))
    text = ALPHABET.charAt(rest % 32) + text
  return text
}

export const createRandomIds = (clock: Pick<Clock, 'now'>): Ids => ({
  tenantId: () => `t${randomText(15)}` as TenantId,
  berthId: () => `b${randomText(15)}` as BerthId,
  runId: () => `r${timeText(clock.now().getTime())}${randomText(14)}` as RunId,
  keyId: () => `k${randomText(15)}` as KeyId,
  secret: () => randomText(32),
})
