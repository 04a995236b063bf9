import { z } from 'zod'
import { httpsUrl } from './oidc-issuer.ts'

/** The same keys as the X.509 ones of firebase-admin. @see https://firebase.google.com/docs/auth/admin/verify-id-tokens checked 2026-11-22 */
const KEYS = 'https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com'

/** The Firebase project whose users may call with their ID tokens. */
export const firebaseProjectSchema = z
  .strictObject({
    /** Project id, as it is in the token's audience and in the sign-up hook. */
    project: z.string().regex(/^[a-z][a-z0-9-]{3,28}[a-z0-9]$/, 'expected a Google Cloud project id'),
    /** Identity Platform tenants whose users are let in besides those of the project itself. */
    tenants: z.array(z.string().min(1).max(128)).max(1000).default([]),
    jwksUri: httpsUrl.default(KEYS),
  })
  .readonly()
export type FirebaseProject = z.infer<typeof firebaseProjectSchema>
