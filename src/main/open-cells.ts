import type { Cell } from '../aws/cell.ts'
import { createCellClients } from '../aws/clients.ts'
import { openCell } from '../aws/open-cell.ts'
import { createPacer } from '../aws/pacer.ts'
import { readQuotas } from '../aws/quotas.ts'
import type { CellBackend } from '../backends/backend.ts'
import { createCellBackend } from '../backends/cell-backend.ts'
import { createLambdaBackend } from '../backends/lambda/lambda-backend.ts'
import { createRoutedBackend } from '../backends/routed-backend.ts'
import { createCellPicker, type CellRoom } from './cell-picker.ts'
import type { CellSetting } from './cell-setting.ts'
import type { Config } from './config.ts'
import type { BackendDeps, OpenedBackend, Worker } from './open-backend.ts'

interface OpenedCell {
  readonly backend: CellBackend
  readonly room: CellRoom
  readonly worker: Worker
}

/** All cells as one backend. One that is away is asked again later; the server starts as long as one answers. */
export const openCells = async (config: Config, deps: BackendDeps): Promise<OpenedBackend> => {
  await using resources = new AsyncDisposableStack()
  const cells = config.cells.map((setting) => prepareCell(setting, deps, resources))
  const backends = cells.map(({ backend }) => backend)
  const picker = createCellPicker({ ...deps, cells: cells.map(({ room }) => room), backend: config.backend })
  const routed = createRoutedBackend({
    cells: backends,
    cellOf: async (berthId) => (await deps.berths.find(berthId))?.cell ?? null,
    backend: config.backend,
    onUnavailable: picker.unavailable,
  })
  await openAny(backends)
  const owned = resources.move()
  return {
    ...routed,
    pickCell: picker.pick,
    workers: [picker, ...cells.map(({ worker }) => worker)],
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

const openAny = async (backends: readonly CellBackend[]): Promise<void> => {
  const { signal } = new AbortController()
  const opened = await Promise.allSettled(backends.map((backend) => backend.open({ signal })))
  const failed = opened.find((outcome) => outcome.status === 'rejected')
  if (failed !== undefined && opened.every(({ status }) => status === 'rejected')) throw failed.reason
}

const prepareCell = (setting: CellSetting, deps: BackendDeps, resources: AsyncDisposableStack): OpenedCell => {
  const clients = resources.use(createCellClients(setting))
  const pacer = createPacer(deps)
  const opening = createOnce((signal) => openCell({ ...setting, clients, pacer, signal }))
  const ended = Promise.withResolvers<void>()
  const backend = createCellBackend({
    ...deps,
    cell: setting.name,
    open: async (options) => createLambdaBackend({ ...deps, cell: await opening(options.signal) }),
  })
  const room: CellRoom = {
    name: setting.name,
    maxBerths: setting.maxBerths,
    signUpsLeft: async ({ living, signal }) => {
      await backend.open({ signal })
      const { berthsLeft } = await readQuotas(await opening(signal), living, { priority: 'signUp', signal })
      return berthsLeft
    },
  }
  return { backend, room, worker: { start: () => ended.promise } }
}

/** Remembers what succeeded. */
const createOnce = (open: (signal: AbortSignal) => Promise<Cell>): ((signal: AbortSignal) => Promise<Cell>) => {
  let cell: Cell | null = null
  return async (signal) => (cell ??= await open(signal))
}
