import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBerthFolders } from '../../src/backends/local/berth-folders.ts'
import { createFolderFiles } from '../../src/backends/local/folder-files.ts'
import { openLayout } from '../../src/backends/local/layout.ts'
import type { Clock } from '../../src/domain/ports/clock.ts'
import type { Fence } from '../../src/domain/ports/fences.ts'
import type { RunStore, Store } from '../../src/domain/ports/store.ts'
import type { TenantFiles } from '../../src/domain/ports/tenant-files.ts'
import type { RunRequest } from '../../src/domain/run.ts'
import {
  createDispatcher,
  type Dispatcher,
  type DispatcherOptions,
  type RunOptions,
} from '../../src/dispatcher/dispatcher.ts'
import { createProvisioner, type Provisioner } from '../../src/provisioner/provisioner.ts'
import { openSqliteStore } from '../../src/store/open-sqlite-store.ts'
import { quiet } from '../contract/content.ts'
import { createEventLog, type EventLog } from './event-log.ts'
import { clock as systemClock, externalId, ids } from './provisioning-site.ts'
import { createScriptedDispatch, type ScriptedDispatch } from './scripted-dispatch.ts'

export interface DispatchSite extends AsyncDisposable {
  readonly store: Store
  readonly files: TenantFiles
  readonly log: EventLog
  readonly dispatch: ScriptedDispatch
  readonly provisioner: Provisioner
  readonly dispatcher: Dispatcher
  /** Images that the fleet was told to bring berths to. */
  readonly updates: readonly string[]
  /** A further server on the same store. */
  readonly another: () => Dispatcher
  /** Starts the worker of a server; the result stops it. */
  readonly work: (dispatcher?: Dispatcher) => () => Promise<void>
}

export interface DispatchSiteOptions extends DispatcherOptions {
  readonly dispatch?: ScriptedDispatch
  /** Stands between the dispatcher and the real store. */
  readonly faultyRuns?: (runs: RunStore) => RunStore
  /** What an update of a berth throws. */
  readonly updateFails?: Error
  /** As the berths' cell has it now. */
  readonly fence?: () => Fence
  /** The dispatcher's own. */
  readonly clock?: Clock
}

/** A clock on which every wait is a thousand times shorter. */
export const hastyClock: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 1000, signal) }

const selfTest = async () => ({ passed: true, runnerVersion: 1, image: 'local', checks: [] })

/** A real store, real folders and a real provisioner; only the runner is scripted. */
export const openDispatchSite = async (options: DispatchSiteOptions = {}): Promise<DispatchSite> => {
  const { dispatch = createScriptedDispatch(), faultyRuns = (runs) => runs, clock = systemClock, ...more } = options
  const { fence, updateFails, ...settings } = more
  const dataDir = await mkdtemp(join(tmpdir(), 'berth-dispatcher-'))
  const store = await openSqliteStore({ dataDir, clock: systemClock })
  const layout = await openLayout(join(dataDir, 'folders'), [])
  const files = createFolderFiles(layout)
  const log = createEventLog()
  const updates: string[] = []
  const update = async (_: unknown, image: string) => {
    updates.push(image)
    if (updateFails !== undefined) throw updateFails
  }
  const provisioner = createProvisioner(
    { store, clock: systemClock, ids, events: log, berths: createBerthFolders(layout), fleet: { selfTest } },
    { pickCell: async () => 'home', spares: 0, maxBerths: 1000, pollMs: 50, lookupTtlMs: 3_600_000 },
  )
  const resources = new AsyncDisposableStack()
  const start = (worker: Pick<Provisioner, 'start'>) => {
    const stopping = new AbortController()
    const ended = worker.start(stopping.signal)
    const stop = async () => {
      stopping.abort()
      await ended
    }
    resources.defer(stop)
    return stop
  }
  const runs = faultyRuns(store.runs)
  const another = () =>
    resources.use(
      createDispatcher(
        {
          store: { runs, berths: store.berths },
          dispatch,
          fleet: { update },
          fences: { of: async () => fence?.() ?? null },
          files,
          berths: provisioner,
          clock,
          ids,
          events: log,
        },
        { drainMs: 1000, leaseMs: 1000, ...settings },
      ),
    )
  resources.defer(() => rm(dataDir, { recursive: true, maxRetries: 5 }))
  resources.use(store)
  start(provisioner)
  const dispatcher = another()
  return {
    store,
    files,
    log,
    dispatch,
    provisioner,
    dispatcher,
    updates,
    another,
    work: (other = dispatcher) => start(other),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

export const python = (changes: Partial<RunRequest> = {}): RunRequest => ({
  language: 'python',
  code: '1 + 1',
  variables: {},
  files: [],
  profile: 'default',
  ...changes,
})

export const ask = (changes: Partial<RunOptions> = {}): RunOptions => ({
  who: externalId('ada'),
  request: python(),
  idempotency: null,
  requestId: 'request-1',
  signal: quiet(),
  ...changes,
})
