import { z } from 'zod'

const isHttpsOrLoopback = (text: string): boolean => {
  const url = URL.parse(text)
  if (url === null || url.username !== '' || url.password !== '') return false
  if (url.protocol === 'https:') return true
  return url.protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)
}

export const httpsUrl = z.string().refine(isHttpsOrLoopback, 'expected an https:// URL without user and password')

/** One issuer whose tokens are accepted, and the identity project that its users belong to. */
export const oidcIssuerSchema = z
  .strictObject({
    project: z.string().min(1).max(128),
    /** Compared with the claim `iss`, character by character. */
    issuer: httpsUrl,
    /** One of the token's audiences must equal it. */
    audience: z.string().min(1),
    /** Where the keys are; without it, the issuer's discovery document tells. */
    jwksUri: httpsUrl.optional(),
    /** Claim that names the tenant inside a multi-tenant project; dots step into objects, as in `firebase.tenant`. */
    tenantClaim: z.string().min(1).optional(),
  })
  .readonly()
export type OidcIssuer = z.infer<typeof oidcIssuerSchema>
