import { createHmac } from 'node:crypto'
import { defineSecret } from 'firebase-functions/params'

const secret = defineSecret('BERTH_HOOK_SECRET')

/** What the functions need to prove that it is them. */
export const means = { secrets: [secret] }

export interface Message {
  readonly id: string
  readonly body: string
  readonly url: string
  readonly signal: AbortSignal
}

/** Standard Webhooks. Signed when sent, for an event may be hours old and a signature five minutes. */
export const prove = async ({ id, body }: Message): Promise<Record<string, string>> => {
  const key = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret.value().trim())?.[1]
  if (key === undefined) throw new Error('BERTH_HOOK_SECRET: expected whsec_ and base64, got something else')
  const at = String(Math.floor(Date.now() / 1000))
  const mac = createHmac('sha256', Buffer.from(key, 'base64')).update(`${id}.${at}.${body}`).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': `v1,${mac}` }
}
