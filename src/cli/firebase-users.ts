import type { UserRecord } from 'firebase-admin/auth'
import { sleep } from '../client/retry.ts'
import { BerthError } from '../domain/errors.ts'

/** The most that Firebase gives at once. @see https://firebase.google.com/docs/auth/admin/manage-users checked 2026-11-22 */
const PAGE = 1000
export const LOOKUP = 100
const TRIES = 6
const FIRST_WAIT_MS = 1000

export interface FirebaseUser {
  readonly uid: string
  /** No provider, no address, no number: the same rule as in the hook package. */
  readonly isAnonymous: boolean
}

/** The users of one Firebase project; `identityTenant` is empty for those of the project itself. */
export interface FirebaseUsers {
  pages(identityTenant: string): AsyncIterable<readonly FirebaseUser[]>
  /** Those of the uids, 100 at most, that Firebase does not know. */
  missing(identityTenant: string, uids: readonly string[]): Promise<readonly string[]>
}

/** Loads firebase-admin only now; credentials are Google's application default ones. */
export const openFirebaseUsers = async (
  projectId: string,
  { signal, firstWaitMs = FIRST_WAIT_MS }: { readonly signal: AbortSignal; readonly firstWaitMs?: number },
): Promise<FirebaseUsers> => {
  const { initializeApp } = await import('firebase-admin/app')
  const { getAuth } = await import('firebase-admin/auth')
  const auth = getAuth(initializeApp({ projectId }, `berth-${projectId}`))
  const usersOf = (identityTenant: string) =>
    identityTenant === '' ? auth : auth.tenantManager().authForTenant(identityTenant)
  const ask = <T>(question: () => Promise<T>): Promise<T> => askPatiently(question, { signal, firstWaitMs })
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
  }
}

const userOf = ({ uid, providerData, email, phoneNumber }: UserRecord): FirebaseUser => ({
  uid,
  isAnonymous: providerData.length === 0 && !email && !phoneNumber,
})

const askPatiently = async <T>(
  question: () => Promise<T>,
  { signal, firstWaitMs }: { readonly signal: AbortSignal; readonly firstWaitMs: number },
): Promise<T> => {
  for (let attempt = 1; ; attempt += 1) {
    signal.throwIfAborted()
    try {
      return await question()
    } catch (error) {
      if (attempt === TRIES || !isQuota(error)) throw refused(error)
    }
    await sleep(firstWaitMs * 2 ** (attempt - 1), signal)
  }
}

const codeOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : 'unknown'

/** What has no code of its own in firebase-admin comes as an internal error whose text quotes the answer. */
const isQuota = (error: unknown): boolean =>
  codeOf(error) === 'auth/quota-exceeded' ||
  codeOf(error) === 'auth/too-many-requests' ||
  /QUOTA_EXCEEDED|RESOURCE_EXHAUSTED|"code": ?429/.test(error instanceof Error ? error.message : '')

const refused = (error: unknown): BerthError =>
  new BerthError('identity_unavailable', `Firebase did not tell its users: ${codeOf(error)}`, {
    cause: error,
    data: {
      remedy:
        'Check GOOGLE_APPLICATION_CREDENTIALS and the role (roles/firebaseauth.viewer), then start it again: what is done stays done.',
    },
  })
