import { z } from 'zod'

/** Berth's own id of a tenant: `t` + 15 lower-case base32 characters. The external id never leaves the store. */
export const tenantIdSchema = z
  .string()
  .regex(/^t[a-z2-7]{15}$/, 'expected "t" and 15 lower-case base32 characters')
  .brand<'TenantId'>()
export type TenantId = z.infer<typeof tenantIdSchema>

/** Id of a berth: `b` + 15 lower-case base32 characters (75 random bits), so it fits every AWS name, a path and a host name. */
export const berthIdSchema = z
  .string()
  .regex(/^b[a-z2-7]{15}$/, 'expected "b" and 15 lower-case base32 characters')
  .brand<'BerthId'>()
export type BerthId = z.infer<typeof berthIdSchema>

/** Id of a run: `r` + 23 lower-case base32 characters; the first 9 are the time, so ids sort by age. */
export const runIdSchema = z
  .string()
  .regex(/^r[a-z2-7]{23}$/, 'expected "r" and 23 lower-case base32 characters')
  .brand<'RunId'>()
export type RunId = z.infer<typeof runIdSchema>

/** Id of a service key: `k` + 15 lower-case base32 characters. It names the key; it is not the secret. */
export const keyIdSchema = z
  .string()
  .regex(/^k[a-z2-7]{15}$/, 'expected "k" and 15 lower-case base32 characters')
  .brand<'KeyId'>()
export type KeyId = z.infer<typeof keyIdSchema>
