import { z } from 'zod'
import { httpsUrl } from './oidc-issuer.ts'

/** The same keys as the X.509 ones of firebase-admin. @see https://firebase.google.com/docs/auth/admin/verify-id-tokens checked 2026-11-22 */
const KEYS = 'https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com'

/** How firebase-admin wants it too: without a scheme. */
const LOOPBACK_PORT = /^(?:127\.0\.0\.1|localhost|\[::1\]):\d{1,5}$/

/** The Firebase project whose users may call with their ID tokens. */
export const firebaseProjectSchema = z
  .strictObject({
    /** Project id, as it is in the token's audience and in the sign-up hook. */
    project: z.string().regex(/^[a-z][a-z0-9-]{3,28}[a-z0-9]$/, 'expected a Google Cloud project id'),
    /** Identity Platform tenants whose users are let in besides those of the project itself. */
    tenants: z.array(z.string().min(1).max(128)).max(1000).default([]),
    jwksUri: httpsUrl.default(KEYS),
    /** For which calls Firebase is asked whether the user still exists, is enabled, and has not been signed out. */
    revocation: z.enum(['never', 'sensitive', 'always']).default('never'),
    /** The Auth emulator, whose tokens nobody signs: whoever reaches the server is whom they say they are. */
    emulator: z
      .string()
      .regex(LOOPBACK_PORT, 'expected 127.0.0.1, localhost or [::1], a colon and a port')
      .nullable()
      .default(null),
  })
  .readonly()
export type FirebaseProject = z.infer<typeof firebaseProjectSchema>
