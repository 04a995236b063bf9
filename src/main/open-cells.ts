import { orMisconfigured } from '../aws/aws-errors.ts'
import { createCellClients } from '../aws/clients.ts'
import { openCell } from '../aws/open-cell.ts'
import { createPacer } from '../aws/pacer.ts'
import type { CellBackend } from '../backends/backend.ts'
import { createCellBackend } from '../backends/cell-backend.ts'
import { createRoutedBackend } from '../backends/routed-backend.ts'
import type { FleetCell } from '../domain/ports/fleet-cell.ts'
import { cellOf } from './cell-of.ts'
import { type CellKindName, cellKinds } from './cell-kinds.ts'
import { createCellPicker, type CellRoom } from './cell-picker.ts'
import type { CellSetting } from './cell-setting.ts'
import type { Config } from './config.ts'
import type { BackendDeps, OpenedBackend, Worker } from './open-backend.ts'
import { openBothKinds } from './open-both-kinds.ts'

interface OpenedCell {
  readonly backend: CellBackend
  readonly room: CellRoom
  readonly worker: Worker
}

/** All cells as one backend. One that is away is asked again later; the server starts as long as one answers. */
export const openCells = async (config: Config, backend: CellKindName, deps: BackendDeps): Promise<OpenedBackend> => {
  await using resources = new AsyncDisposableStack()
  const kind = cellKinds[backend]
  const cells = config.cells.map((setting) => prepareCell(setting, { backend, deps, resources }))
  const backends = cells.map(({ backend }) => backend)
  const picker = createCellPicker({ ...deps, cells: cells.map(({ room }) => room), backend })
  const routed = createRoutedBackend({
    cells: backends,
    cellOf: (berthId) => cellOf(deps, Object.keys(cellKinds), berthId),
    backend,
    movesTo: Object.keys(cellKinds),
    onUnavailable: picker.unavailable,
  })
  await openAny(backends)
  const owned = resources.move()
  return {
    ...routed,
    pickCell: picker.pick,
    provisioning: kind.provisioning,
    fleetCells: backends.map(fleetCellOf),
    workers: [picker, ...cells.map(({ worker }) => worker)],
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

const fleetCellOf = (backend: CellBackend): FleetCell => ({
  cell: backend.cell,
  open: async (options) => {
    const { fleet, wantedImage = null } = await backend.open(options)
    return { fleet, wanted: wantedImage }
  },
})

const openAny = async (backends: readonly CellBackend[]): Promise<void> => {
  const { signal } = new AbortController()
  const opened = await Promise.allSettled(backends.map((backend) => backend.open({ signal })))
  const failed = opened.find((outcome) => outcome.status === 'rejected')
  if (failed !== undefined && opened.every(({ status }) => status === 'rejected')) throw orMisconfigured(failed.reason)
}

interface Making {
  readonly backend: CellKindName
  readonly deps: BackendDeps
  readonly resources: AsyncDisposableStack
}

const prepareCell = (setting: CellSetting, { backend: kindName, deps, resources }: Making): OpenedCell => {
  const kind = cellKinds[kindName]
  const clients = resources.use(createCellClients(setting))
  const pacer = createPacer(deps)
  const made = createOnce(async (signal) => {
    const cell = await openCell({ ...setting, clients, pacer, signal })
    return { cell, ...openBothKinds(kindName, cell, deps) }
  })
  const backend = createCellBackend({
    ...deps,
    cell: setting.name,
    open: async ({ signal }) => (await made.get(signal)).backend,
  })
  const room: CellRoom = {
    name: setting.name,
    maxBerths: setting.maxBerths,
    signUpsLeft: async ({ living, signal }) => {
      await backend.open({ signal })
      const { cell } = await made.get(signal)
      return kind.signUpsLeft(cell, { living, signal })
    },
  }
  const worker: Worker = {
    start: async (signal) => {
      const opened = await unlessAborted(made.first, signal)
      await opened?.background?.(signal).catch(() => undefined)
    },
  }
  return { backend, room, worker }
}

interface Once<T> {
  readonly get: (signal: AbortSignal) => Promise<T>
  /** Resolves when it first succeeded. */
  readonly first: Promise<T>
}

/** Remembers what succeeded. */
const createOnce = <T>(make: (signal: AbortSignal) => Promise<T>): Once<T> => {
  const first = Promise.withResolvers<T>()
  let made: { readonly value: T } | null = null
  const get = async (signal: AbortSignal): Promise<T> => {
    made ??= { value: await make(signal) }
    first.resolve(made.value)
    return made.value
  }
  return { get, first: first.promise }
}

/** Undefined when the signal comes first. */
const unlessAborted = <T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> => {
  const stopped = Promise.withResolvers<undefined>()
  if (signal.aborted) stopped.resolve(undefined)
  else signal.addEventListener('abort', () => stopped.resolve(undefined), { once: true })
  return Promise.race([work, stopped.promise])
}
