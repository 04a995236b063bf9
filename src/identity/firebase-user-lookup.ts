import { randomUUID } from 'node:crypto'
import { BerthError } from '../domain/errors.ts'
import { faultOf, isPassing, type LookupFault } from './firebase-fault.ts'

/** A user of the project; `identityTenant` is empty for one of the project itself. */
export interface FirebaseUserName {
  readonly identityTenant: string
  readonly uid: string
}

/** What Firebase says about a user who exists. */
export interface FirebaseUserState {
  readonly disabled: boolean
  /** Seconds since the epoch: a token of an earlier sign-in was revoked. */
  readonly validSince: number
}

export interface FirebaseUserLookup {
  /** Null for a user whom Firebase does not know. @throws {BerthError} identity_unavailable */
  find(user: FirebaseUserName): Promise<FirebaseUserState | null>
}

export interface OpenedUserLookup extends FirebaseUserLookup, AsyncDisposable {
  /** Whether Firebase answers now. What only an operator can mend is thrown. @throws {BerthError} config_invalid */
  tryOut(): Promise<'usable' | 'unreachable'>
}

const PROBE: FirebaseUserName = { identityTenant: '', uid: 'berth-start-check' }
const RETRY_SECONDS = 2
const REMEDY =
  'set GOOGLE_APPLICATION_CREDENTIALS to credentials of Google with roles/firebaseauth.viewer in that project, or take "revocation" out'
const GONE = new Set(['auth/user-not-found', 'auth/tenant-not-found'])

type Found = { readonly state: FirebaseUserState | null } | { readonly fault: LookupFault }

/** Users of one project, by Google's application default credentials. firebase-admin is loaded only now. */
export const openFirebaseUserLookup = async (projectId: string): Promise<OpenedUserLookup> => {
  const { initializeApp, deleteApp } = await import('firebase-admin/app')
  const { getAuth } = await import('firebase-admin/auth')
  const app = initializeApp({ projectId }, `berth-users-${randomUUID()}`)
  const auth = getAuth(app)

  const look = async ({ identityTenant, uid }: FirebaseUserName): Promise<Found> => {
    const users = identityTenant === '' ? auth : auth.tenantManager().authForTenant(identityTenant)
    try {
      const { disabled, tokensValidAfterTime: since } = await users.getUser(uid)
      return { state: { disabled, validSince: since === undefined ? 0 : Date.parse(since) / 1000 } }
    } catch (error) {
      const fault = faultOf(error)
      return GONE.has(fault.code) ? { state: null } : { fault }
    }
  }

  return {
    async find(user) {
      const found = await look(user)
      if ('fault' in found) throw unavailable(found.fault.text)
      return found.state
    },
    async tryOut() {
      const found = await look(PROBE)
      if ('state' in found) return 'usable'
      if (isPassing(found.fault)) return 'unreachable'
      throw new BerthError(
        'config_invalid',
        `BERTH_FIREBASE: expected with "revocation" that this server may look up users of ${projectId}, got ${found.fault.text}; ${REMEDY}`,
        { errors: [{ pointer: '/BERTH_FIREBASE', detail: REMEDY }] },
      )
    },
    [Symbol.asyncDispose]: () => deleteApp(app),
  }
}

/** Callers are not told why: the reason is a code for the log. */
export const unavailable = (reason: string): BerthError =>
  new BerthError('identity_unavailable', 'Firebase does not tell now whether the user is still let in.', {
    retryAfterSeconds: RETRY_SECONDS,
    data: { forOperators: true, reason },
  })
