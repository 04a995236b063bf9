import { firebaseProjectSchema, type FirebaseProject } from '../identity/firebase-project.ts'
import { parseJsonAs } from './hook-settings.ts'
import { parsedText } from './setting.ts'

const SHAPE = 'JSON {project, tenants?, revocation?, emulator?, jwksUri?}'

const optionalText = (expected: string, reason: string) =>
  parsedText<string | null>({ expected, reason, absent: null, absentText: 'none', parse: (value) => ({ value }) })

export const firebaseSettings = {
  BERTH_FIREBASE: parsedText<FirebaseProject | null>({
    expected: SHAPE,
    reason:
      'Firebase project whose users may call with their ID tokens, and the Identity Platform tenants that are let in besides its own users. `revocation` is never (the default), sensitive or always: for which calls Firebase is asked whether the user still exists; firebase.md says more, and what `emulator` is.',
    absent: null,
    absentText: 'none',
    parse: parseJsonAs(firebaseProjectSchema, SHAPE),
  }),
  FIREBASE_AUTH_EMULATOR_HOST: optionalText(
    'host:port, the same as `emulator` in BERTH_FIREBASE',
    "Where Google's library looks users up in place of Google. Refused beside a BERTH_FIREBASE without `emulator`, since there it would answer for real users.",
  ),
  NODE_ENV: optionalText(
    'development or test, with `emulator` in BERTH_FIREBASE',
    'Says that this is not production; without it the server does not take the tokens of an emulator. Berth reads it for nothing else.',
  ),
}

interface Problem {
  readonly variable: string
  readonly detail: string
}

interface FirebaseEnvironment {
  readonly BERTH_FIREBASE: FirebaseProject | null
  readonly FIREBASE_AUTH_EMULATOR_HOST: string | null
  readonly NODE_ENV: string | null
  readonly BERTH_BACKEND: string
  readonly BERTH_HOST: string
  readonly BERTH_TRUST_PROXY_HOPS: number
  readonly DATABASE_URL: string | null
  readonly BERTH_OIDC_ISSUERS: readonly { readonly project: string; readonly issuer: string }[]
  readonly BERTH_HOOK_SOURCES: readonly { readonly project: string }[]
}

/** Two doors to one project, and an emulator where it could stand in for Google. */
export const firebaseContradictions = (env: FirebaseEnvironment): readonly Problem[] => {
  const { BERTH_FIREBASE: firebase } = env
  if (firebase === null) return []
  return [...doorContradictions(firebase, env), ...emulatorContradictions(firebase, env)]
}

/** The wider door to the ids of a project would let in what the allow-list keeps out. */
const doorContradictions = ({ project }: FirebaseProject, env: FirebaseEnvironment): readonly Problem[] => {
  const issuer = `https://securetoken.google.com/${project}`
  const doors = {
    BERTH_OIDC_ISSUERS: env.BERTH_OIDC_ISSUERS.some((other) => other.project === project || other.issuer === issuer),
    BERTH_HOOK_SOURCES: env.BERTH_HOOK_SOURCES.some((source) => source.project === project),
  }
  return Object.entries(doors)
    .filter(([, taken]) => taken)
    .map(([variable]) => ({ variable, detail: 'expected no entry for the project of BERTH_FIREBASE, got one' }))
}

const LOOPBACK = new Set(['127.0.0.1', 'localhost', '::1'])
const NOT_PRODUCTION = new Set(['development', 'test'])

/** Whoever reaches a server in emulator mode is whom they say they are, so each sign of a server that others use stops it. */
const emulatorContradictions = (firebase: FirebaseProject, env: FirebaseEnvironment): readonly Problem[] => {
  const { emulator, revocation, project } = firebase
  const host = env.FIREBASE_AUTH_EMULATOR_HOST
  if (emulator === null) return host === null ? [] : [strayEmulator(host)]
  const toldTwice = host === emulator || (host === null && revocation === 'never')
  const rules: readonly (readonly [holds: boolean, Problem])[] = [
    [NOT_PRODUCTION.has(env.NODE_ENV ?? ''), clash('NODE_ENV', 'development or test', env.NODE_ENV)],
    [project.startsWith('demo-'), clash('BERTH_FIREBASE', 'a project whose id starts with "demo-"', project)],
    [env.BERTH_BACKEND === 'local', clash('BERTH_BACKEND', 'local', env.BERTH_BACKEND)],
    [LOOPBACK.has(env.BERTH_HOST), clash('BERTH_HOST', 'an address of loopback', env.BERTH_HOST)],
    [env.BERTH_TRUST_PROXY_HOPS === 0, clash('BERTH_TRUST_PROXY_HOPS', '0', env.BERTH_TRUST_PROXY_HOPS)],
    [env.DATABASE_URL === null, clash('DATABASE_URL', 'none', 'a value that is not shown')],
    [toldTwice, clash('FIREBASE_AUTH_EMULATOR_HOST', emulator, host)],
  ]
  return rules.filter(([holds]) => !holds).map(([, problem]) => problem)
}

const clash = (variable: string, expected: string, got: string | number | null): Problem => ({
  variable,
  detail: `expected ${expected} with "emulator" in BERTH_FIREBASE, whose tokens nobody signs, got ${got ?? 'none'}`,
})

const strayEmulator = (host: string): Problem => ({
  variable: 'FIREBASE_AUTH_EMULATOR_HOST',
  detail: `expected none beside BERTH_FIREBASE, got ${JSON.stringify(host)}: users would be looked up there and not at Google. Take it out, or on a developer's machine set "emulator" in BERTH_FIREBASE as well`,
})
