import type { Clock } from '../domain/ports/clock.ts'
import type { Events } from '../domain/ports/events.ts'
import type { IdentityVerifier } from '../domain/ports/identity-verifier.ts'
import type { FirebaseProject } from '../identity/firebase-project.ts'
import { type OpenedUserLookup, openFirebaseUserLookup } from '../identity/firebase-user-lookup.ts'
import { createFirebaseVerifier } from '../identity/firebase-verifier.ts'
import { createIdentityChain } from '../identity/identity-chain.ts'
import { createOidcVerifier } from '../identity/oidc-verifier.ts'
import type { Config } from './config.ts'

export interface OpenIdentityOptions {
  readonly keys: IdentityVerifier
  readonly clock: Clock
  readonly events: Events
  /** Takes what must be closed. */
  readonly resources: AsyncDisposableStack
}

/**
 * Who may call. The OIDC verifier is last, since it refuses a token of an issuer that it does not know.
 * @throws {BerthError} config_invalid when users of Firebase are to be looked up and Google refuses this server
 */
export const openIdentity = async ({ firebase, oidcIssuers }: Config, options: OpenIdentityOptions) => {
  const { keys, clock } = options
  return createIdentityChain([
    keys,
    ...(firebase === null ? [] : [await openFirebase(firebase, options)]),
    createOidcVerifier({ issuers: oidcIssuers, clock }),
  ])
}

const openFirebase = async (firebase: FirebaseProject, options: OpenIdentityOptions): Promise<IdentityVerifier> => {
  const { clock, events, resources } = options
  if (firebase.emulator !== null)
    events.emit({ code: 'identity.emulator_trusted', level: 'warn', detail: { emulator: firebase.emulator } })
  if (firebase.revocation === 'never') return createFirebaseVerifier({ firebase, clock })
  const users = resources.use(await openFirebaseUserLookup(firebase.project))
  // Google may be down while this server starts: keys of services and hooks work all the same.
  if ((await tryOut(users)) === 'unreachable') events.emit({ code: 'identity.users_unreachable', level: 'warn' })
  return createFirebaseVerifier({ firebase, clock, users })
}

const TRY_OUT_MS = 10_000

const tryOut = async (users: OpenedUserLookup): Promise<'usable' | 'unreachable'> => {
  const { promise, resolve } = Promise.withResolvers<'unreachable'>()
  const timer = setTimeout(() => resolve('unreachable'), TRY_OUT_MS)
  try {
    return await Promise.race([users.tryOut(), promise])
  } finally {
    clearTimeout(timer)
  }
}
