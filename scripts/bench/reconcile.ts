import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FirebaseReconciliation } from '../../src/cli/from-firebase/report.ts'
import { type Figures, ratio } from './figures.ts'
import { createJsonClient } from './json-client.ts'
import { instantAwsEnv, startInstantAws } from './lambda-site.ts'
import { startToldProcess } from './told-process.ts'

const USERS = 10_000
const FEW = 1000
const MANY = 100_000
const BARE = 500
/** As many requests at once as the command has. */
const AT_ONCE = 8

type Outcome = { readonly seconds: number; readonly heapMiB: number } & FirebaseReconciliation

const has = <K extends string, V>(word: unknown, key: K): word is Record<K, V> =>
  typeof word === 'object' && word !== null && key in word

interface Site {
  readonly url: string
  readonly key: string
  readonly googleHost: string
}

/** On backend `lambda`: berths are made at the pace of an account's quotas, and what is measured is not how fast this machine makes folders. */
const startSite = async (users: Readonly<Record<string, number>>): Promise<Site & AsyncDisposable> => {
  const stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'berth-bench-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const key = `berth_${Array.from(randomBytes(32), (byte) => 'abcdefghijklmnopqrstuvwxyz234567'.charAt(byte & 31)).join('')}`
  const aws = stack.use(await startInstantAws())
  const server = stack.use(
    await startToldProcess('lambda-server-process.ts', {
      env: {
        BERTH_PORT: '0',
        BERTH_DATA_DIR: join(folder, 'berth'),
        BERTH_LOG_LEVEL: 'error',
        BERTH_OPERATOR_KEY: key,
        ...instantAwsEnv(aws.word.port),
        BERTH_BACKEND: 'lambda',
        BERTH_CELLS: JSON.stringify([{ name: 'bench', region: 'eu-west-1', maxBerths: 1_000_000 }]),
        BERTH_SPARES: '0',
        BERTH_MAX_BERTHS: '1000000',
      },
      isWord: (word): word is { url: string } => has(word, 'url'),
    }),
  )
  const google = stack.use(
    await startToldProcess('identity-toolkit-process.ts', {
      env: { BENCH_USERS: JSON.stringify(users) },
      isWord: (word): word is { host: string } => has(word, 'host'),
    }),
  )
  return {
    url: server.word.url,
    key,
    googleHost: google.word.host,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

const reconcile = async (
  site: Site,
  project: string,
  { apply = false }: { readonly apply?: boolean } = {},
): Promise<Outcome> => {
  await using worker = await startToldProcess('reconcile-process.ts', {
    env: {
      BERTH_URL: site.url,
      BERTH_KEY: site.key,
      FIREBASE_AUTH_EMULATOR_HOST: site.googleHost,
      BENCH_PROJECT: project,
      BENCH_APPLY: String(apply),
    },
    isWord: (word): word is Outcome => has(word, 'seconds'),
  })
  return worker.word
}

/** The least that bringing them in can cost: one request each, by a client that does nothing else. */
const createBarely = async (site: Site, name: string): Promise<number> => {
  const client = createJsonClient(Number(new URL(site.url).port))
  const headers = { Authorization: `Bearer ${site.key}` }
  const uids = Array.from({ length: BARE }, (_, at) => `${name}-${at}`).values()
  const startedMs = performance.now()
  const worker = async (): Promise<void> => {
    for (const uid of uids) {
      const body = JSON.stringify({ project: 'bare', uid })
      const { status, body: answer } = await client({ method: 'POST', path: '/v1/tenants', headers, body })
      if (status !== 201) throw new Error(`A tenant was answered with ${status}: ${JSON.stringify(answer)}`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  client.close()
  return (performance.now() - startedMs) / 1000
}

type Counts = Pick<FirebaseReconciliation, 'missing' | 'created' | 'existing' | 'gone'>

const expectCounts = (outcome: Outcome, { missing, created, existing, gone }: Counts): Outcome => {
  const right =
    outcome.missing === missing && outcome.created === created && outcome.existing === existing && outcome.gone === gone
  if (!right) throw new Error(`reconcile ended with ${JSON.stringify({ ...outcome, told: [] })}`)
  return outcome
}

const NOBODY: Counts = { missing: 0, created: 0, existing: 0, gone: 0 }

const round = (value: number): number => Number(value.toPrecision(4))

/** Existing users brought in by `berth reconcile --from firebase`, against bare requests, and the memory that it takes. */
export const measureReconcile = async (): Promise<Figures> => {
  await using site = await startSite({ users: USERS, few: FEW, many: MANY })
  const few = expectCounts(await reconcile(site, 'few', { apply: true }), { ...NOBODY, missing: FEW, created: FEW })
  // Before and after: the more tenants there are, the longer a sign-up takes.
  const before = await createBarely(site, 'before')
  const brought = expectCounts(await reconcile(site, 'users', { apply: true }), {
    ...NOBODY,
    missing: USERS,
    created: USERS,
  })
  const after = await createBarely(site, 'after')
  const again = expectCounts(await reconcile(site, 'users'), { ...NOBODY, existing: USERS })
  const many = expectCounts(await reconcile(site, 'many'), { ...NOBODY, missing: MANY })
  const bareSeconds = ((before + after) / (2 * BARE)) * USERS
  return {
    values: {
      'identity.reconcile.10000_users_s': round(brought.seconds),
      'identity.reconcile.10000_bare_creates_s': round(bareSeconds),
      'identity.reconcile.vs_bare_creates': ratio(brought.seconds, bareSeconds),
      'identity.reconcile.10000_existing_s': round(again.seconds),
      'identity.reconcile.existing_vs_new': ratio(again.seconds, brought.seconds),
      'identity.reconcile.memory_10000_vs_1000': ratio(brought.heapMiB, few.heapMiB),
      'identity.reconcile.memory_100000_vs_1000': ratio(many.heapMiB, few.heapMiB),
      'identity.reconcile.1000_heap_mib': round(few.heapMiB),
    },
    omitted: {},
  }
}
