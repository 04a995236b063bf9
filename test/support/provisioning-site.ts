import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBerthFolders } from '../../src/backends/local/berth-folders.ts'
import { createFolderFiles } from '../../src/backends/local/folder-files.ts'
import { openLayout } from '../../src/backends/local/layout.ts'
import type { BerthId } from '../../src/domain/ids.ts'
import type { Berths } from '../../src/domain/ports/berths.ts'
import type { Clock } from '../../src/domain/ports/clock.ts'
import type { Fleet, SelfTestReport } from '../../src/domain/ports/fleet.ts'
import type { Store } from '../../src/domain/ports/store.ts'
import type { TenantFiles } from '../../src/domain/ports/tenant-files.ts'
import { createRandomIds } from '../../src/main/random-ids.ts'
import { createSystemClock } from '../../src/main/system-clock.ts'
import { createProvisioner, type Provisioner, type ProvisionerOptions } from '../../src/provisioner/provisioner.ts'
import { openSqliteStore } from '../../src/store/open-sqlite-store.ts'
import { createEventLog, type EventLog } from './event-log.ts'

export const clock = createSystemClock()
export const ids = createRandomIds(clock)
export const externalId = (uid: string) => ({ project: 'shop', identityTenant: '', uid })

/** Called before each step on a berth; may throw, wait or end the process. */
export type Fault = (
  step: 'create' | 'created' | 'selfTest' | 'destroy' | 'destroyed',
  berthId: BerthId,
) => Promise<void> | void

export interface ProvisioningSite extends AsyncDisposable {
  readonly store: Store
  /** The real folders, without faults. */
  readonly folders: Berths
  /** Files in the folders. */
  readonly files: TenantFiles
  /** Where the site's berths are, without faults: the folders unless others were given. */
  readonly berths: Berths
  readonly log: EventLog
  readonly provisioner: Provisioner
  /** Starts the worker; the result stops it. */
  readonly work: () => () => Promise<void>
}

const same = <T>(value: T): T => value

const passed: SelfTestReport = { passed: true, runnerVersion: 1, image: 'local', checks: [] }

/** Real folders and a real store; the self-test finds the berth's resources and needs no runner. */
export const openProvisioningSite = async (
  options: Partial<ProvisionerOptions> & {
    readonly fault?: Fault
    readonly dataDir?: string
    readonly clock?: Clock
    /** Puts something over the folders. */
    readonly over?: (berths: Berths) => Berths
    /** Berths of another backend than folders. */
    readonly berths?: Berths
  } = {},
): Promise<ProvisioningSite> => {
  const {
    fault = () => undefined,
    dataDir: given,
    clock: own = clock,
    over = same,
    berths: others,
    ...settings
  } = options
  const dataDir = given ?? (await mkdtemp(join(tmpdir(), 'berth-provisioner-')))
  const store = await openSqliteStore({ dataDir, clock })
  const layout = await openLayout(join(dataDir, 'folders'), [])
  const folders = createBerthFolders(layout)
  const files = createFolderFiles(layout)
  const berths = others ?? folders
  const log = createEventLog()
  const provisioner = createProvisioner(
    {
      store,
      clock: own,
      ids,
      events: log,
      berths: withFaults(over(berths), fault),
      ...(others === undefined ? { files } : {}),
      fleet: createSelfTest(berths, fault),
    },
    {
      pickCell: async () => 'home',
      spares: 0,
      maxBerths: 1000,
      pollMs: 50,
      leaseMs: 2000,
      readyWaitMs: 120_000,
      ...settings,
    },
  )
  const stops = new Set<() => Promise<void>>()
  const work = () => {
    const stopping = new AbortController()
    const ended = provisioner.start(stopping.signal)
    const stop = async () => {
      stops.delete(stop)
      stopping.abort()
      await ended
    }
    stops.add(stop)
    return stop
  }
  const close = async () => {
    for (const stop of stops) await stop()
    await store[Symbol.asyncDispose]()
    if (given === undefined) await rm(dataDir, { recursive: true, maxRetries: 5 })
  }
  return { store, folders, files, berths, log, provisioner, work, [Symbol.asyncDispose]: close }
}

const withFaults = (berths: Berths, fault: Fault): Berths => ({
  backend: berths.backend,
  owners: berths.owners,
  create: async (berthId, options) => {
    await fault('create', berthId)
    await berths.create(berthId, options)
    await fault('created', berthId)
  },
  find: (berthId, options) => berths.find(berthId, options),
  destroy: async (berthId, options) => {
    await fault('destroy', berthId)
    const report = await berths.destroy(berthId, options)
    await fault('destroyed', berthId)
    return report
  },
  list: (options) => berths.list(options),
  suspend: (berthId, options) => berths.suspend(berthId, options),
  resume: (berthId, options) => berths.resume(berthId, options),
  standing: (berthId, options) => berths.standing(berthId, options),
})

const createSelfTest = (berths: Berths, fault: Fault): Pick<Fleet, 'selfTest'> => ({
  selfTest: async (berthId, options) => {
    await fault('selfTest', berthId)
    const found = await berths.find(berthId, options)
    const whole = found !== null && !found.partial
    return { ...passed, passed: whole, checks: [{ name: 'present', passed: whole, detail: 'its resources are there' }] }
  },
})
