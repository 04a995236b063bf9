import { logger } from 'firebase-functions'
import { defineInt, defineString, projectID } from 'firebase-functions/params'
import { prove } from './proof.js'

const url = defineString('BERTH_HOOK_URL', { description: 'https://<your Berth>/v1/hooks/identity' })
const anonymous = defineString('BERTH_ANONYMOUS_USERS', {
  default: 'skip',
  description: '"provision" gives anonymous users a berth at sign-up; "skip" does not',
})
const maxAgeHours = defineInt('BERTH_MAX_EVENT_HOURS', {
  default: 20,
  description: 'An event that could not be delivered for so long is dropped',
})
export const region = defineString('BERTH_HOOK_REGION', { default: 'us-central1' })

export interface UserEvent {
  readonly type: 'user.created' | 'user.deleted'
  /** The same at every delivery of one event. */
  readonly id: string
  /** When it happened. */
  readonly time: string
  readonly uid: string
  readonly tenantId?: string | null | undefined
  /** Asked for by servers that make berths for verified addresses only. */
  readonly emailVerified?: boolean
}

interface SignedUp {
  readonly email?: string | null | undefined
  readonly phoneNumber?: string | null | undefined
  readonly providerData?: readonly unknown[]
}

/** An anonymous user: no provider, no address, no number. Firebase marks them with nothing else. */
export const isUnwanted = ({ email, phoneNumber, providerData = [] }: SignedUp): boolean =>
  anonymous.value() !== 'provision' && !email && !phoneNumber && providerData.length === 0

const TIMEOUT_MS = 10_000
/** Faults of the moment, or of a proof that is being changed: what mends them comes later, so the event must too. */
const isWorthARetry = (status: number): boolean => status >= 500 || [401, 403, 408, 409, 425, 429].includes(status)

/** Throws to be called again. Ids only: no address, no name, no number leaves the project. */
export const send = async ({ type, id, time, uid, tenantId, emailVerified = false }: UserEvent): Promise<void> => {
  const seen = { type, eventId: id }
  const ageHours = (Date.now() - Date.parse(time)) / 3_600_000
  if (ageHours > maxAgeHours.value()) return logger.error('Berth: event dropped, it is too old', { ...seen, ageHours })
  const project = projectID.value() || process.env['GCLOUD_PROJECT']
  if (!project) throw new Error('the runtime names no project: neither FIREBASE_CONFIG nor GCLOUD_PROJECT is set')
  const identityTenant = tenantId ?? ''
  const user = { project, identityTenant, uid, ...(emailVerified && { emailVerified }) }
  const body = JSON.stringify({ type, timestamp: time, data: user })
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const proof = await prove({ id, body, url: url.value(), signal })
  const response = await fetch(url.value(), {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...proof },
    body,
    redirect: 'error',
    signal,
  })
  await response.body?.cancel()
  const { status, ok } = response
  if (ok) return
  if (isWorthARetry(status)) throw new Error(`Berth answered ${status} to ${type} ${id}; it will be sent again`)
  logger.error('Berth: event dropped, it was refused for good', { ...seen, status })
}
