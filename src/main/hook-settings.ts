import { z } from 'zod'
import { googleHookSchema, type GoogleHook } from '../identity/google-door.ts'
import { hookSourceSchema, type HookSourceSetting } from '../identity/hook-source.ts'
import { parseHookSecret } from '../identity/hook-signature.ts'
import { oneOf, parsedText } from './setting.ts'

export const parseJsonAs =
  <T extends z.ZodType>(schema: T, shape: string) =>
  (json: string): { value: z.output<T> } | string => {
    let value: unknown
    try {
      value = JSON.parse(json)
    } catch {
      return 'expected JSON'
    }
    const parsed = schema.safeParse(value)
    if (parsed.success) return { value: parsed.data }
    const [issue] = parsed.error.issues
    return `expected ${shape}; at ${issue?.path.join('.') || 'the top'}: ${issue?.message}`
  }

const GOOGLE_SHAPE = 'JSON {audience, emails, jwksUri?}'
const SOURCES_SHAPE = 'JSON list of {name, provider, project, secrets | bearer}'

export const hookSettings = {
  BERTH_HOOK_AUTH: oneOf(
    ['hmac', 'google', 'both'],
    'hmac',
    'How the sign-up hook proves who it is: a signature by BERTH_HOOK_SECRETS, an ID token of BERTH_HOOK_GOOGLE, or either of them.',
  ),
  BERTH_HOOK_SECRETS: parsedText<readonly Buffer[]>({
    expected: 'whsec_… secrets with commas between',
    reason: 'Standard Webhooks secrets of the sign-up hook, several while one replaces another; unset closes the hook.',
    absent: [],
    absentText: 'closed',
    secret: true,
    parse: (list) => {
      const secrets = list.split(',').map((secret) => parseHookSecret(secret.trim()))
      if (secrets.length > 8) return 'expected at most 8 secrets'
      const valid = secrets.filter((secret) => secret !== null)
      return valid.length === secrets.length
        ? { value: valid }
        : 'expected "whsec_" and base64 of 24 to 64 bytes, with commas between several'
    },
  }),
  BERTH_HOOK_GOOGLE: parsedText<GoogleHook | null>({
    expected: GOOGLE_SHAPE,
    reason: "The hook's public URL and the service accounts whose Google ID tokens for it are taken.",
    absent: null,
    absentText: 'closed',
    parse: parseJsonAs(googleHookSchema, GOOGLE_SHAPE),
  }),
  BERTH_HOOK_SOURCES: parsedText<readonly HookSourceSetting[]>({
    expected: SOURCES_SHAPE,
    reason:
      'Webhooks of auth0, clerk, cognito and supabase, which come to /v1/hooks/identity/{name}; docs/identity-providers.md has an entry for each.',
    absent: [],
    absentText: '[]',
    secret: true,
    parse: parseJsonAs(z.array(hookSourceSchema).max(32), SOURCES_SHAPE),
  }),
}

interface Problem {
  readonly variable: string
  readonly detail: string
}

interface HookEnvironment {
  readonly BERTH_HOOK_AUTH: string
  readonly BERTH_HOOK_SECRETS: readonly Buffer[]
  readonly BERTH_HOOK_GOOGLE: GoogleHook | null
  readonly BERTH_HOOK_SOURCES: readonly HookSourceSetting[]
  readonly BERTH_OIDC_ISSUERS: readonly { readonly project: string; readonly tenantClaim?: string | undefined }[]
}

/** A door that is open without being named, one proof that opens two doors, and two sources whose users could be taken for each other's. */
export const hookContradictions = (env: HookEnvironment): readonly Problem[] => [
  ...doorContradictions(env),
  ...sourceContradictions(env),
]

const problem = (variable: string, detail: string): readonly Problem[] => [{ variable, detail }]

const doorContradictions = (env: HookEnvironment): readonly Problem[] => {
  const { BERTH_HOOK_AUTH: auth, BERTH_HOOK_GOOGLE: google, BERTH_HOOK_SECRETS: secrets } = env
  if (auth === 'hmac' && google !== null)
    return problem('BERTH_HOOK_GOOGLE', 'expected BERTH_HOOK_AUTH=google or both beside it, got hmac')
  if (auth !== 'hmac' && google === null)
    return problem('BERTH_HOOK_GOOGLE', `expected a value with BERTH_HOOK_AUTH=${auth}, got none`)
  if (auth === 'google' && secrets.length > 0)
    return problem('BERTH_HOOK_SECRETS', 'expected BERTH_HOOK_AUTH=hmac or both beside it, got google')
  if (auth === 'both' && secrets.length === 0)
    return problem('BERTH_HOOK_SECRETS', 'expected a value with BERTH_HOOK_AUTH=both, got none')
  return []
}

const sourceContradictions = (env: HookEnvironment): readonly Problem[] => {
  const sources = env.BERTH_HOOK_SOURCES
  const twice = (field: 'name' | 'project'): readonly Problem[] =>
    new Set(sources.map((source) => source[field])).size === sources.length
      ? []
      : [{ variable: 'BERTH_HOOK_SOURCES', detail: `expected another ${field} for each source, got one twice` }]
  return [...twice('name'), ...twice('project'), ...sharedProofs(env), ...unlikeNames(env)]
}

/** A signature names no door: what one sender signed would hold at the other's. */
const sharedProofs = ({
  BERTH_HOOK_SECRETS: own,
  BERTH_HOOK_SOURCES: sources,
}: HookEnvironment): readonly Problem[] => {
  const proofs = [own, ...sources.map(({ secrets, bearer }) => secrets ?? bearer ?? [])]
  const all = proofs.flatMap((list) => new Set(list.map((proof) => proof.toString('base64'))).values().toArray())
  if (new Set(all).size === all.length) return []
  return problem(
    'BERTH_HOOK_SOURCES',
    'expected secrets and tokens of its own for each source, got one that another source or BERTH_HOOK_SECRETS has as well',
  )
}

/** Webhooks of a source name no identity tenant: its users would have another berth by their token, which no deletion reaches. */
const unlikeNames = ({ BERTH_HOOK_SOURCES: sources, BERTH_OIDC_ISSUERS: issuers }: HookEnvironment) => {
  const split = new Set(issuers.flatMap(({ project, tenantClaim }) => (tenantClaim === undefined ? [] : [project])))
  return sources
    .filter(({ project }) => split.has(project))
    .map(({ name }) => ({
      variable: 'BERTH_HOOK_SOURCES',
      detail: `expected no tenantClaim at the issuers of the project of the source ${name}, got one: its webhooks name no identity tenant`,
    }))
}
