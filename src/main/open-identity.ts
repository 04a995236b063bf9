import type { Clock } from '../domain/ports/clock.ts'
import type { IdentityVerifier } from '../domain/ports/identity-verifier.ts'
import { createFirebaseVerifier } from '../identity/firebase-verifier.ts'
import { createIdentityChain } from '../identity/identity-chain.ts'
import { createOidcVerifier } from '../identity/oidc-verifier.ts'
import type { Config } from './config.ts'

/** Who may call. The OIDC verifier is last, since it refuses a token of an issuer that it does not know. */
export const openIdentity = ({ firebase, oidcIssuers }: Config, keys: IdentityVerifier, clock: Clock) =>
  createIdentityChain([
    keys,
    ...(firebase === null ? [] : [createFirebaseVerifier({ firebase, clock })]),
    createOidcVerifier({ issuers: oidcIssuers, clock }),
  ])
