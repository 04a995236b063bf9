import { createRandomIds } from '../../src/main/random-ids.ts'
import { createSystemClock } from '../../src/main/system-clock.ts'
import type { StoredRun, Store } from '../../src/domain/ports/store.ts'
import type { BerthId, TenantId } from '../../src/domain/ids.ts'
import type { Run, RunRequest, RunStatus } from '../../src/domain/run.ts'

/** One empty database, and the stores that a test opens on it. */
export interface StoreSite extends AsyncDisposable {
  open(): Promise<Store>
}

export interface StoreHarness {
  readonly name: string
  /** False where one process owns the database: SQLite, whose folder is locked. */
  readonly severalServers: boolean
  readonly create: () => Promise<StoreSite>
}

export const clock = createSystemClock()
export const ids = createRandomIds(clock)

/** A fixed time: the tests move it by adding milliseconds. */
export const T0 = Date.parse('2026-01-01T00:00:00.000Z')
export const at = (ms: number): Date => new Date(T0 + ms)

export const externalId = (uid: string, project = 'shop') => ({ project, identityTenant: '', uid })

type SignUpOptions = Parameters<Store['tenants']['signUp']>[0]

export const signUpOptions = (uid: string, changes: Partial<SignUpOptions> = {}): SignUpOptions => ({
  externalId: externalId(uid),
  event: null,
  newTenantId: ids.tenantId(),
  newBerthId: ids.berthId(),
  backend: 'local',
  cell: 'home',
  maxBerths: 1000,
  now: at(0),
  ...changes,
})

export const signUp = (store: Store, uid: string, changes: Partial<SignUpOptions> = {}) =>
  store.tenants.signUp(signUpOptions(uid, changes))

export const deletion = (uid: string, now = at(0)) => ({
  externalId: externalId(uid),
  event: null,
  newTenantId: ids.tenantId(),
  now,
})

export const addSpare = (store: Store, changes: Partial<Parameters<Store['berths']['insertSpare']>[0]> = {}) =>
  store.berths.insertSpare({
    newBerthId: ids.berthId(),
    backend: 'local',
    cell: 'home',
    maxSpares: 1000,
    maxBerths: 1000,
    now: at(0),
    ...changes,
  })

export const ready = { kind: 'ready', runnerVersion: 1, image: 'sha256:one', now: at(0) } as const
export const nothingFound = { deleted: [], verifiedAbsent: [] }

/** Leases everything that is due and settles it as ready or deleted. */
export const workOff = async (store: Store, now = at(0)): Promise<void> => {
  const lease = { owner: ids.secret(), until: new Date(now.getTime() + 1000) }
  for (const berth of await store.berths.lease({ lease, limit: 1000, now }))
    await store.berths.settle(
      berth.id,
      lease.owner,
      berth.state === 'deprovisioning' ? { kind: 'deleted', report: nothingFound } : ready,
    )
}

export const request: RunRequest = {
  language: 'python',
  code: '1 + 1',
  variables: {},
  files: [],
  profile: 'default',
}

export const newRun = (changes: Partial<Run> = {}): Run => ({
  id: ids.runId(),
  status: 'queued',
  language: 'python',
  results: [],
  logs: { stdout: '', stderr: '', truncated: { stdout: false, stderr: false }, droppedBytes: 0 },
  error: null,
  failure: null,
  artifacts: [],
  usage: { wallMs: 0, cpuMs: 0, peakMemoryMiB: 0 },
  timings: { queueMs: 0, coldStartMs: 0, execMs: 0, totalMs: 0 },
  runner: null,
  warnings: [],
  createdAt: at(0).toISOString(),
  startedAt: null,
  finishedAt: null,
  ...changes,
})

export const finished = (run: Run, status: RunStatus = 'succeeded', ms = 1): Run => ({
  ...run,
  status,
  finishedAt: at(ms).toISOString(),
})

export const storedRun = (tenantId: TenantId, run: Run, berthId: BerthId | null = null): StoredRun => ({
  run,
  tenantId,
  berthId,
})

/** A queued run of this tenant, durable, leased by nobody. */
export const enqueue = async (store: Store, tenantId: TenantId, changes: Partial<Run> = {}): Promise<Run> => {
  const run = newRun(changes)
  await store.runs.insert({ stored: storedRun(tenantId, run), request, idempotency: null, lease: null })
  return run
}

export const leaseOf = (owner: string, untilMs = 1000) => ({ owner, until: at(untilMs) })
export const hasCode = (code: string) => ({ code })

export const livingBerths = async (store: Store): Promise<number> => {
  const { deleted: _, spare: __, ...living } = await store.berths.countByState()
  return Object.values(living).reduce((sum, count) => sum + count, 0)
}
