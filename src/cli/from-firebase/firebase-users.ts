import { randomUUID } from 'node:crypto'
import type { UserRecord } from 'firebase-admin/auth'
import { BerthError } from '../../domain/errors.ts'
import type { Clock } from '../../domain/ports/clock.ts'

/** The most that Firebase gives at once. @see https://firebase.google.com/docs/auth/admin/manage-users checked 2026-11-22 */
const PAGE = 1000
export const LOOKUP = 100
const TRIES = 6
const FIRST_WAIT_MS = 1000

export interface FirebaseUser {
  readonly uid: string
  /** No provider, no address, no number: the same rule as in the hook package. */
  readonly isAnonymous: boolean
  readonly emailVerified: boolean
  /** May not sign in until somebody ends that. */
  readonly disabled: boolean
}

/** The users of one Firebase project; `identityTenant` is empty for those of the project itself. */
export interface FirebaseUsers extends AsyncDisposable {
  pages(identityTenant: string): AsyncIterable<readonly FirebaseUser[]>
  /** Those of the uids, 100 at most, that Firebase does not know. */
  missing(identityTenant: string, uids: readonly string[]): Promise<readonly string[]>
}

interface Patience {
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** Loads firebase-admin only now; credentials are Google's application default ones. */
export const openFirebaseUsers = async (projectId: string, patience: Patience): Promise<FirebaseUsers> => {
  const { deleteApp, initializeApp } = await import('firebase-admin/app')
  const { getAuth } = await import('firebase-admin/auth')
  const app = initializeApp({ projectId }, `berth-${randomUUID()}`)
  const auth = getAuth(app)
  const usersOf = (identityTenant: string) =>
    identityTenant === '' ? auth : auth.tenantManager().authForTenant(identityTenant)
  const ask = <T>(question: () => Promise<T>): Promise<T> => askPatiently(question, patience)
  return {
    async *pages(identityTenant) {
      let token: string | undefined
      do {
        const after = token
        const page = await ask(() => usersOf(identityTenant).listUsers(PAGE, after))
        yield page.users.map(userOf)
        token = page.pageToken
      } while (token !== undefined && token !== '')
    },
    missing: async (identityTenant, uids) => {
      const { users } = await ask(() => usersOf(identityTenant).getUsers(uids.map((uid) => ({ uid }))))
      const known = new Set(users.map(({ uid }) => uid))
      return uids.filter((uid) => !known.has(uid))
    },
    [Symbol.asyncDispose]: () => deleteApp(app),
  }
}

const userOf = ({ uid, providerData, email, phoneNumber, emailVerified, disabled }: UserRecord): FirebaseUser => ({
  uid,
  isAnonymous: providerData.length === 0 && !email && !phoneNumber,
  emailVerified,
  disabled,
})

const askPatiently = async <T>(question: () => Promise<T>, { clock, signal }: Patience): Promise<T> => {
  for (let attempt = 1; ; attempt += 1) {
    signal.throwIfAborted()
    try {
      return await question()
    } catch (error) {
      if (attempt === TRIES || !mayPass(error)) throw refused(error)
    }
    await clock.sleep(FIRST_WAIT_MS * 2 ** (attempt - 1), signal)
  }
}

const codeOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : 'unknown'

const PASSING: ReadonlySet<string> = new Set([
  'auth/quota-exceeded',
  'auth/too-many-requests',
  'app/network-error',
  'app/network-timeout',
])

/** What has no code of its own in firebase-admin comes as an internal error whose text quotes the answer. */
const mayPass = (error: unknown): boolean =>
  PASSING.has(codeOf(error)) ||
  /QUOTA_EXCEEDED|RESOURCE_EXHAUSTED|"code": ?(?:429|50\d)/.test(error instanceof Error ? error.message : '')

/** Nothing that passes by itself. */
const SETTINGS: ReadonlySet<string> = new Set([
  'app/invalid-credential',
  'auth/invalid-credential',
  'auth/insufficient-permission',
  'auth/configuration-not-found',
  'auth/project-not-found',
  'auth/tenant-not-found',
])

const refused = (error: unknown): BerthError => {
  const code = codeOf(error)
  return new BerthError(
    SETTINGS.has(code) ? 'config_invalid' : 'identity_unavailable',
    `Firebase did not tell its users: ${code}`,
    {
      cause: error,
      data: {
        remedy:
          'Check --project, --identity-tenant, GOOGLE_APPLICATION_CREDENTIALS and the role (roles/firebaseauth.viewer), then start it again: what is done stays done.',
      },
    },
  )
}
