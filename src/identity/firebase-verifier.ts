import type { JWTPayload } from 'jose'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../domain/ports/clock.ts'
import type { Caller, IdentityVerifier } from '../domain/ports/identity-verifier.ts'
import { externalIdSchema } from '../domain/tenant.ts'
import type { FirebaseProject } from './firebase-project.ts'
import { claimedIssuer, type ExpectedToken, refused, verifyFirebaseToken } from './firebase-token.ts'
import { createFirebaseUserCheck, type FirebaseUserCheck, type SignedIn } from './firebase-user-check.ts'
import type { FirebaseUserLookup } from './firebase-user-lookup.ts'
import { createIssuerKeys } from './issuer-keys.ts'
import { hashCredential } from './key-secret.ts'

export interface FirebaseVerifierOptions {
  readonly firebase: FirebaseProject
  readonly clock: Clock
  /** Needed where `firebase.revocation` is not `never`. */
  readonly users?: FirebaseUserLookup
  /** @default globalThis.fetch */
  readonly fetch?: typeof globalThis.fetch
  readonly jwksCooldownMs?: number
}

const MAX_CACHED_TOKENS = 10_000
/** A token is trusted from the cache for at most this long, so that a key that Google withdrew stops working. */
const MAX_CACHE_MS = 5 * 60_000

interface Judged {
  readonly caller: Caller
  readonly signedIn: SignedIn
  readonly until: number
}

/** Firebase ID tokens of one project. A token of any other issuer is left to the next verifier. */
export const createFirebaseVerifier = (options: FirebaseVerifierOptions): IdentityVerifier => {
  const { firebase, clock } = options
  const issuer = `https://securetoken.google.com/${firebase.project}`
  const allowed = new Set(firebase.tenants)
  const keys = keysOf(options, issuer)
  const check = userCheckOf(options)
  const cache = new LRUCache<string, Judged>({ max: MAX_CACHED_TOKENS })

  const judge = async (credential: string, now: Date): Promise<Judged> => {
    const payload = await verifyFirebaseToken(credential, { issuer, project: firebase.project, keys, now })
    const identityTenant = tenantOf(payload)
    // The signature holds for every tenant of the project: they share issuer, audience and keys.
    if (identityTenant !== '' && !allowed.has(identityTenant))
      throw refused('its Identity Platform tenant is not one that BERTH_FIREBASE names')
    const caller = callerOf(payload, firebase.project, identityTenant)
    return {
      caller,
      signedIn: { user: caller.externalId, authTime: Number(payload['auth_time']) },
      until: Math.min((payload.exp ?? 0) * 1000, now.getTime() + MAX_CACHE_MS),
    }
  }

  return {
    async verify(credential, verifying) {
      const now = clock.now()
      const hash = hashCredential(credential)
      const known = cache.get(hash)
      const isFresh = known !== undefined && now.getTime() < known.until
      if (!isFresh && claimedIssuer(credential) !== issuer) return null
      const judged = isFresh ? known : await judge(credential, now)
      if (!isFresh) cache.set(hash, judged)
      await check?.assertLetIn(judged.signedIn, verifying)
      return judged.caller
    },
  }
}

/** The emulator has none: it signs nothing. */
const keysOf = (options: FirebaseVerifierOptions, issuer: string): ExpectedToken['keys'] => {
  const { firebase, clock, fetch = globalThis.fetch, jwksCooldownMs } = options
  const { project, jwksUri, emulator } = firebase
  if (emulator !== null) return null
  return createIssuerKeys({
    issuer: { project, issuer, audience: project, jwksUri },
    clock,
    fetch,
    ...(jwksCooldownMs !== undefined && { cooldownMs: jwksCooldownMs }),
  })
}

const userCheckOf = ({ firebase, users, clock }: FirebaseVerifierOptions): FirebaseUserCheck | null => {
  const { revocation: policy } = firebase
  if (policy === 'never') return null
  if (users === undefined) throw new TypeError(`the policy "${policy}" needs somebody who looks users up`)
  return createFirebaseUserCheck({ policy, users, clock })
}

/** Empty for a user of the project itself, as the sign-up hook has it. */
const tenantOf = (payload: JWTPayload): string => {
  const firebase = payload['firebase']
  if (typeof firebase !== 'object' || firebase === null || !('tenant' in firebase)) return ''
  const { tenant } = firebase
  if (typeof tenant !== 'string' || tenant === '') throw refused('its tenant is not a usable id')
  return tenant
}

type FirebaseCaller = Extract<Caller, { kind: 'user' }>

const callerOf = (payload: JWTPayload, project: string, identityTenant: string): FirebaseCaller => {
  const parsed = externalIdSchema.safeParse({ project, identityTenant, uid: payload.sub })
  if (!parsed.success) throw refused('its subject is not a usable id')
  const verified = payload['email_verified'] === true
  return { kind: 'user', externalId: parsed.data, ...(verified && { emailVerified: true }) }
}
