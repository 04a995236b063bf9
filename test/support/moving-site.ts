import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Backend } from '../../src/backends/backend.ts'
import { createBerthFolders } from '../../src/backends/local/berth-folders.ts'
import { createFolderFiles } from '../../src/backends/local/folder-files.ts'
import { openLayout } from '../../src/backends/local/layout.ts'
import { createPairedBackend } from '../../src/backends/paired-backend.ts'
import type { BerthId, TenantId } from '../../src/domain/ids.ts'
import type { Berths } from '../../src/domain/ports/berths.ts'
import type { Store } from '../../src/domain/ports/store.ts'
import { createProvisioner, type Provisioner } from '../../src/provisioner/provisioner.ts'
import { openSqliteStore } from '../../src/store/open-sqlite-store.ts'
import { createEventLog, type EventLog } from './event-log.ts'
import { clock, ids } from './provisioning-site.ts'
import { createScriptedDispatch } from './scripted-dispatch.ts'

export type MoveStep = 'create' | 'created' | 'selfTest' | 'selfTested' | 'destroy' | 'destroyed'
type Fault = (step: MoveStep, berthId: BerthId) => Promise<void> | void

export interface MovingSite extends AsyncDisposable {
  readonly store: Store
  readonly log: EventLog
  readonly provisioner: Provisioner
  /** Both kinds of berths at once, as the server sees them. */
  readonly backend: Backend
  readonly start: () => void
  /** Has the tenant of this uid, with a ready berth on `lambda`. */
  readonly settled: (uid: string) => Promise<{ readonly tenantId: TenantId; readonly berthId: BerthId }>
  /** The tenant's own berth. */
  readonly own: (
    tenantId: TenantId,
  ) => Promise<{ readonly id: BerthId; readonly state: string; readonly backend: string } | null>
}

/** Two backends of real folders and a real store; one of the two bears the name of the shared one. */
export const openMovingSite = async (
  options: { fault?: Fault; dataDir?: string; moveGraceMs?: number; maxAttempts?: number } = {},
): Promise<MovingSite> => {
  const { fault = () => undefined, dataDir: given, moveGraceMs = 0, maxAttempts = 8 } = options
  const dataDir = given ?? (await mkdtemp(join(tmpdir(), 'berth-moves-')))
  const store = await openSqliteStore({ dataDir, clock })
  const [main, other] = await Promise.all(['lambda', 'lambda-shared'].map((name) => openFolders(dataDir, name, fault)))
  if (main === undefined || other === undefined) throw new Error('expected two backends')
  const backendOf = async (berthId: BerthId) => (await store.berths.find(berthId))?.backend ?? null
  const backend = createPairedBackend({ main, other, backendOf })
  const { berths, fleet, files } = backend
  const log = createEventLog()
  const provisioner = createProvisioner(
    { store, berths, fleet, files, clock, ids, events: log },
    { pickCell: async () => 'home', spares: 0, maxBerths: 1000, pollMs: 20, leaseMs: 300, moveGraceMs, maxAttempts },
  )
  const stopping = new AbortController()
  let ended: Promise<void> = Promise.resolve()
  return {
    store,
    log,
    provisioner,
    backend,
    start: () => {
      ended = provisioner.start(stopping.signal)
    },
    settled: async (uid) => {
      const who = { project: 'shop', identityTenant: '', uid }
      const { tenant, berth } = await provisioner.ensureBerth(who, { signal: new AbortController().signal })
      return { tenantId: tenant.id, berthId: berth.id }
    },
    own: async (tenantId) => {
      const berth = await store.berths.findByTenant(tenantId)
      return berth === null ? null : { id: berth.id, state: berth.state, backend: berth.backend }
    },
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      await ended
      await store[Symbol.asyncDispose]()
      if (given === undefined) await rm(dataDir, { recursive: true, maxRetries: 5 })
    },
  }
}

const openFolders = async (dataDir: string, name: string, fault: Fault): Promise<Backend> => {
  const layout = await openLayout(join(dataDir, name), [])
  const folders = createBerthFolders(layout)
  const berths: Berths = {
    ...folders,
    backend: name,
    create: async (berthId, asked) => {
      await fault('create', berthId)
      await folders.create(berthId, asked)
      await fault('created', berthId)
    },
    destroy: async (berthId, asked) => {
      await fault('destroy', berthId)
      const report = await folders.destroy(berthId, asked)
      await fault('destroyed', berthId)
      return report
    },
  }
  return {
    berths,
    files: createFolderFiles(layout),
    dispatch: createScriptedDispatch(),
    fleet: {
      async *list(asked) {
        for await (const { berthId } of folders.list(asked)) yield { berthId, image: name }
      },
      update: async () => {},
      selfTest: async (berthId, asked) => {
        await fault('selfTest', berthId)
        const found = await folders.find(berthId, asked)
        await fault('selfTested', berthId)
        const present = found !== null && !found.partial
        return {
          passed: present,
          runnerVersion: 1,
          image: name,
          checks: [{ name: 'present', passed: present, detail: '' }],
        }
      },
    },
  }
}
