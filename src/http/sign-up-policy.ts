import { BerthError } from '../domain/errors.ts'
import type { Caller } from '../domain/ports/identity-verifier.ts'
import type { HttpDeps } from './http-deps.ts'

/** What makes a berth: the hook, the hook of a user with a verified address, or only the first run. */
export type ProvisionOn = 'sign_up' | 'verified_email' | 'first_run'

/** Whether a hook's sign-up makes a berth now; if not, the first run does. */
export const isDeferred = (provisionOn: ProvisionOn, emailVerified: boolean): boolean =>
  provisionOn === 'first_run' || (provisionOn === 'verified_email' && !emailVerified)

/**
 * A user whom nobody vouches for makes no berth by calling. One who has a tenant keeps it: what was verified once is not taken back here.
 * @throws {BerthError} email_unverified
 */
export const assertMayProvision = async (
  { provisioner, provisionOn }: Pick<HttpDeps, 'provisioner' | 'provisionOn'>,
  caller: Caller,
): Promise<void> => {
  if (provisionOn !== 'verified_email' || caller.kind !== 'user' || caller.emailVerified === true) return
  if ((await provisioner.find(caller.externalId)) !== null) return
  throw new BerthError(
    'email_unverified',
    'This server makes berths only for users whose e-mail address is verified; the token has no email_verified: true.',
  )
}
