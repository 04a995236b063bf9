import type { KeyId } from '../ids.ts'
import type { ExternalId } from '../tenant.ts'

/** Who is calling. An operator may do everything; a service key acts for any tenant it names; a user is one tenant. */
export type Caller =
  | { readonly kind: 'operator'; readonly keyId: KeyId }
  | { readonly kind: 'service'; readonly keyId: KeyId; readonly project: string }
  | {
      readonly kind: 'user'
      readonly externalId: ExternalId
      /** Whether the identity provider vouches for an e-mail address of the user; left out is no. */
      readonly emailVerified?: boolean
    }

export interface VerifyOptions {
  readonly signal: AbortSignal
  /** False for a call that a token which was taken back since may still make, until its end. @default true */
  readonly sensitive?: boolean
}

export interface IdentityVerifier {
  /** Null when the credential is not of this verifier's kind, so that the next one is asked.
   * @throws {BerthError} unauthenticated, identity_unavailable */
  verify(credential: string, options: VerifyOptions): Promise<Caller | null>
}
