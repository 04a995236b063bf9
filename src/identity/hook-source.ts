import { z } from 'zod'
import { createBearerDoor, createSignatureDoor, type HookDoor } from './hook-door.ts'
import { parseHookSecret } from './hook-signature.ts'
import { readAuth0Event } from './providers/auth0.ts'
import { readClerkEvent } from './providers/clerk.ts'
import { readCognitoEvent } from './providers/cognito.ts'
import type { ReadProviderEvent } from './providers/provider-event.ts'
import { readSupabaseEvent } from './providers/supabase.ts'

const providers = {
  auth0: { read: readAuth0Event, proofs: ['bearer'] },
  clerk: { read: readClerkEvent, proofs: ['secrets'] },
  cognito: { read: readCognitoEvent, proofs: ['secrets'] },
  supabase: { read: readSupabaseEvent, proofs: ['secrets', 'bearer'] },
} as const satisfies Record<string, { read: ReadProviderEvent; proofs: readonly ('secrets' | 'bearer')[] }>

const providerNames = ['auth0', 'clerk', 'cognito', 'supabase'] as const

/** Supabase writes `v1,` before the secret. */
const secretSchema = z.string().transform((text, context) => {
  const secret = parseHookSecret(text.replace(/^v1,/, ''))
  if (secret !== null) return secret
  context.addIssue({ code: 'custom', message: 'expected "whsec_" and base64 of 24 to 64 bytes' })
  return z.NEVER
})

const bearerSchema = z.string().regex(/^[\w.~+/=-]{32,256}$/, 'expected 32 to 256 characters of a bearer token')

/** A provider whose webhooks come to /v1/hooks/identity/{name}, and the identity project that its users belong to. */
export const hookSourceSchema = z
  .strictObject({
    name: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'expected lower-case letters, digits and -, at most 32'),
    provider: z.enum(providerNames),
    project: z.string().min(1).max(128),
    /** Of Standard Webhooks or Svix; several while one replaces another. */
    secrets: z.array(secretSchema).min(1).max(8).optional(),
    /** Tokens that the sender puts into its Authorization header. */
    bearer: z.array(bearerSchema).min(1).max(8).optional(),
  })
  .superRefine(({ provider, secrets, bearer }, context) => {
    const given = [...(secrets === undefined ? [] : ['secrets']), ...(bearer === undefined ? [] : ['bearer'])]
    const expected: readonly string[] = providers[provider].proofs
    if (given.length === 1 && given.every((proof) => expected.includes(proof))) return
    const message = `expected ${expected.join(' or ')} with ${provider}, got ${given.join(' and ') || 'neither'}`
    context.addIssue({ code: 'custom', message })
  })
  .readonly()
export type HookSourceSetting = z.infer<typeof hookSourceSchema>

export interface HookSource {
  readonly project: string
  readonly door: HookDoor
  readonly read: ReadProviderEvent
}

export const createHookSource = ({ provider, project, secrets, bearer }: HookSourceSetting): HookSource => ({
  project,
  door: secrets === undefined ? createBearerDoor(bearer ?? []) : createSignatureDoor(secrets),
  read: providers[provider].read,
})
