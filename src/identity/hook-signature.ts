import { createHmac, timingSafeEqual } from 'node:crypto'
import { BerthError } from '../domain/errors.ts'

export interface HookSignatureOptions {
  /** Keys of HMAC-SHA256; several while one replaces another. */
  readonly secrets: readonly Buffer[]
  /** How far the sender's clock may be off, either way. @default 300 */
  readonly toleranceSeconds?: number
}

export interface SignedHook {
  /** The raw body, before any parsing. */
  readonly body: Buffer
  readonly header: (name: string) => string | undefined
  readonly now: Date
}

const MAX_SIGNATURES = 16

/**
 * Checks a Standard Webhooks signature and answers with the id of the event.
 * @throws {BerthError} unauthenticated
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md checked 2026-11-22
 */
export const createHookSignature = ({ secrets, toleranceSeconds = 300 }: HookSignatureOptions) => {
  // One hash of the body for each secret, however many signatures a stranger puts beside it. Every secret is tried, so that the time
  // does not tell which one matched.
  const fits = (signed: Buffer, candidates: readonly Buffer[]): boolean =>
    secrets
      .map((secret) => createHmac('sha256', secret).update(signed).digest())
      .filter((expected) => candidates.some((candidate) => isSame(candidate, expected))).length > 0

  return {
    verify({ body, header, now }: SignedHook): { readonly eventId: string } {
      const eventId = required(header, 'id')
      if (!/^[\x21-\x7e]{1,255}$/.test(eventId)) throw refused('webhook-id has 1 to 255 visible ASCII characters')
      const timestamp = required(header, 'timestamp')
      if (!/^\d{1,12}$/.test(timestamp)) throw refused('webhook-timestamp is whole seconds since 1970')
      const skew = Math.abs(now.getTime() / 1000 - Number(timestamp))
      if (skew > toleranceSeconds)
        throw refused(`webhook-timestamp is more than ${toleranceSeconds} s from the server's clock`)
      const signed = Buffer.concat([Buffer.from(`${eventId}.${timestamp}.`), body])
      const candidates = parseSignatures(required(header, 'signature'))
      if (!fits(signed, candidates))
        throw refused('webhook-signature fits none of the configured secrets and this body')
      return { eventId }
    },
  }
}

const isSame = (candidate: Buffer, expected: Buffer): boolean =>
  candidate.length === expected.length && timingSafeEqual(candidate, expected)

const refused = (detail: string): BerthError => new BerthError('unauthenticated', `The hook was refused: ${detail}.`)

const required = (header: SignedHook['header'], part: 'id' | 'timestamp' | 'signature'): string => {
  const value = header(`webhook-${part}`) ?? header(`svix-${part}`)
  if (value === undefined || value === '') throw refused(`the header webhook-${part} is missing`)
  return value
}

const parseSignatures = (header: string): readonly Buffer[] =>
  header
    .split(' ')
    .slice(0, MAX_SIGNATURES)
    .filter((part) => part.startsWith('v1,'))
    .map((part) => Buffer.from(part.slice(3), 'base64'))

/** `whsec_` and base64 of 24 to 64 bytes, as Standard Webhooks prescribes; null when it is not that. */
export const parseHookSecret = (text: string): Buffer | null => {
  const encoded = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text)?.[1]
  if (encoded === undefined) return null
  const secret = Buffer.from(encoded, 'base64')
  return secret.length >= 24 && secret.length <= 64 ? secret : null
}
