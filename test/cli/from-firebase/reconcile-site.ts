import { randomUUID } from 'node:crypto'
import { type Account, startIdentityToolkit } from '../../../scripts/identity-toolkit.ts'
import { openFirebaseUsers } from '../../../src/cli/from-firebase/firebase-users.ts'
import { reconcileFirebase } from '../../../src/cli/from-firebase/reconcile-firebase.ts'
import type { ReconcileFirebaseOptions } from '../../../src/cli/from-firebase/walk.ts'
import { createBerth } from '../../../src/client/berth.ts'
import type { WireTenant } from '../../../src/client/wire.ts'
import type { Clock } from '../../../src/domain/ports/clock.ts'
import { startServer } from '../../support/running-server.ts'
import { setVariables } from '../../support/set-variables.ts'

export const person = (localId: string): Account => ({ localId, email: `user-${localId.length}@example.com` })
export const people = (count: number, name = 'user'): readonly Account[] =>
  Array.from({ length: count }, (_, at) => person(`${name}-${String(at).padStart(5, '0')}`))

/** Waiting takes no time: whoever sleeps is woken at once, and the clock says that the time has passed. */
export const createHurriedClock = (): Clock & { readonly slept: number[] } => {
  let nowMs = 0
  const slept: number[] = []
  return {
    slept,
    now: () => new Date(nowMs),
    monotonicMs: () => nowMs,
    sleep: async (ms, signal) => {
      signal.throwIfAborted()
      slept.push(ms)
      const atMs = nowMs + ms
      await new Promise((resolve) => setImmediate(resolve))
      nowMs = Math.max(nowMs, atMs)
    },
  }
}

/** A request whose body is text, and the way on to the server. */
export type Interceptor = (
  asked: { method: string; path: string; body: string },
  pass: () => Promise<Response>,
) => Promise<Response>

const fetchThrough =
  (intercept: Interceptor): typeof fetch =>
  (url, init) => {
    const { pathname: path } = new URL(url instanceof Request ? url.url : url)
    const body = typeof init?.body === 'string' ? init.body : ''
    return intercept({ method: init?.method ?? 'GET', path, body }, () => fetch(url, init))
  }

interface Asking extends Partial<Omit<ReconcileFirebaseOptions, 'project' | 'identityTenants'>> {
  readonly tenants?: readonly string[]
  readonly clock?: Clock
  /** Stands before the server. */
  readonly intercept?: Interceptor
}

/** A real server, and Google's side over HTTP. Each test has a project of its own. */
export const startReconcileSite = async (
  env: Readonly<Record<string, string>> = {},
  { pageSize = 1000 }: { readonly pageSize?: number } = {},
) => {
  const server = await startServer(env)
  const google = await startIdentityToolkit({ pageSize })
  const variables = setVariables({ FIREBASE_AUTH_EMULATOR_HOST: google.host })
  const berthOf = (intercept?: Interceptor) =>
    createBerth({
      baseUrl: server.url,
      key: server.operatorKey,
      retries: 0,
      ...(intercept !== undefined && { fetch: fetchThrough(intercept) }),
    })

  return {
    server,
    google,
    /** One Firebase project with these accounts, and what can be done with it. */
    project: (accounts: readonly Account[] | null, project = `demo-${randomUUID()}`) => {
      const { tenants } = berthOf()
      if (accounts !== null) google.projects.set(project, new Map([['', accounts]]))
      const known = async (): Promise<readonly WireTenant[]> =>
        (await Array.fromAsync(tenants.list())).filter(({ externalId }) => externalId?.project === project)
      return {
        id: project,
        set: (next: readonly Account[], tenant = ''): void => void google.projects.get(project)?.set(tenant, next),
        /** What Google's side was asked. */
        calls: (): readonly string[] => google.asked.filter((call) => call.project === project).map(({ name }) => name),
        interrupt: (act: Parameters<typeof google.interruptions.set>[1]): void =>
          void google.interruptions.set(project, act),
        reconcile: async ({
          clock = createHurriedClock(),
          tenants: others = [],
          intercept,
          ...options
        }: Asking = {}) => {
          const { signal = new AbortController().signal } = options
          await using users = await openFirebaseUsers(project, { clock, signal })
          return await reconcileFirebase(
            { tenants: berthOf(intercept).tenants, users, clock },
            {
              project,
              identityTenants: ['', ...others],
              apply: false,
              anonymous: false,
              deferred: false,
              deleteGone: false,
              perMinute: 1_000_000,
              onProgress: () => undefined,
              signal,
              ...options,
            },
          )
        },
        signUp: (uid: string, identityTenant = '') => tenants.create({ project, identityTenant, uid }),
        remove: async (uid: string): Promise<void> => {
          const tenant = (await known()).find(({ externalId }) => externalId?.uid === uid)
          if (tenant !== undefined) await tenants.remove(tenant.id)
        },
        /** Who has a tenant that is not being deleted. */
        uids: async (): Promise<readonly string[]> =>
          (await known())
            .filter(({ state }) => state === 'active' || state === 'suspended')
            .map(({ externalId }) => externalId?.uid ?? '')
            .toSorted(),
      }
    },
    [Symbol.asyncDispose]: async () => {
      variables[Symbol.dispose]()
      await google[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

export type ReconcileSite = Awaited<ReturnType<typeof startReconcileSite>>
