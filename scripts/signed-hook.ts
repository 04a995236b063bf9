import { randomUUID } from 'node:crypto'
import { Webhook } from 'standardwebhooks'

export interface HookEvent {
  /** The server's `whsec_…`. */
  readonly secret: string
  readonly payload: unknown
  /** The same event again has the same id. @default a new one */
  readonly id?: string
  /** @default now */
  readonly at?: Date
}

/** What an identity provider posts to /v1/hooks/identity: the headers of Standard Webhooks and the body that they sign. */
export const signHook = ({ secret, payload, id = `evt_${randomUUID()}`, at = new Date() }: HookEvent) => {
  const body = JSON.stringify(payload)
  const headers = {
    'Content-Type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': new Webhook(secret).sign(id, at, body),
  }
  return { body, headers }
}
