import { describe, expect, test } from 'vitest'
import type { Caller, IdentityVerifier } from '../../src/domain/ports/identity-verifier.ts'

export interface VerifierSubject extends AsyncDisposable {
  readonly verifier: IdentityVerifier
  /** A credential that holds, and whom it names. */
  readonly valid: { readonly credential: string; readonly caller: Caller }
  /** Of this verifier's kind, and not to be trusted. */
  readonly forged: readonly string[]
  /** Of other kinds: for the next verifier to look at. */
  readonly foreign: readonly string[]
}

const signal = (): AbortSignal => AbortSignal.timeout(60_000)

/** What every IdentityVerifier keeps. */
export const describeIdentityVerifier = (name: string, make: () => Promise<VerifierSubject>): void => {
  describe(`IdentityVerifier: ${name}`, () => {
    test('a credential that holds names its caller, the second time too', async () => {
      await using subject = await make()
      const { credential, caller } = subject.valid

      expect(await subject.verifier.verify(credential, { signal: signal() })).toEqual(caller)
      expect(await subject.verifier.verify(credential, { signal: signal() })).toEqual(caller)
    })

    test('a forged credential is refused, and not handed to the next verifier', async () => {
      await using subject = await make()

      for (const credential of subject.forged)
        await expect(subject.verifier.verify(credential, { signal: signal() }), credential).rejects.toMatchObject({
          code: 'unauthenticated',
        })
    })

    test('a credential of another kind is left to the next verifier', async () => {
      await using subject = await make()

      for (const credential of subject.foreign)
        expect(await subject.verifier.verify(credential, { signal: signal() }), credential).toBeNull()
    })

    test('a refusal does not repeat the credential', async () => {
      await using subject = await make()
      const [forged = ''] = subject.forged

      const error: unknown = await subject.verifier
        .verify(forged, { signal: signal() })
        .catch((reason: unknown) => reason)

      expect(JSON.stringify({ ...(error as object), message: String(error) })).not.toContain(forged)
    })
  })
}
