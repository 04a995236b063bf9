import { BerthError } from '../domain/errors.ts'
import type { Caller, IdentityVerifier, VerifyOptions } from '../domain/ports/identity-verifier.ts'

/** Asks each verifier in turn. A credential that none of them takes for its own is unauthenticated. */
export const createIdentityChain = (verifiers: readonly IdentityVerifier[]) => ({
  async verify(credential: string, options: VerifyOptions): Promise<Caller> {
    for (const verifier of verifiers) {
      const caller = await verifier.verify(credential, options)
      if (caller !== null) return caller
    }
    throw new BerthError(
      'unauthenticated',
      'The bearer token is neither a key of this server nor a token of an issuer that it trusts.',
    )
  },
})
