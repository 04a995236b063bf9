import { expect, test } from 'vitest'
import type { Backend, CellBackend } from '../../src/backends/backend.ts'
import { createCellBackend } from '../../src/backends/cell-backend.ts'
import { createRoutedBackend } from '../../src/backends/routed-backend.ts'
import { BerthError } from '../../src/domain/errors.ts'
import { defaultRunLimits } from '../../src/domain/limits.ts'
import { codeOf, collect, quiet } from '../contract/content.ts'
import { createEventLog } from '../support/event-log.ts'
import { clock, ids } from '../support/provisioning-site.ts'
import { createScriptedDispatch, type ScriptedDispatch } from '../support/scripted-dispatch.ts'
import { cellOf, idIn, makeRoutedFolders, nowhere, openedCell } from './routed-subject.ts'

const signal = quiet()

const requestOf = (files: string[] = []) => ({
  runId: ids.runId(),
  language: 'python' as const,
  code: '1',
  variables: {},
  files,
  profile: 'default' as const,
  limits: defaultRunLimits,
  minRunnerVersion: 0,
})

const withDispatch = (dispatch: ScriptedDispatch): Backend =>
  ({ dispatch, berths: { create: nowhere, find: nowhere }, fleet: {}, files: {} }) as unknown as Backend

const away = (cell: string): CellBackend => ({
  cell,
  opened: null,
  open: async () => {
    throw new BerthError('backend_unavailable', `cell ${cell} is away`)
  },
})

test('each call goes to the cell of the berth, and nothing of it to the other', async () => {
  await using site = await makeRoutedFolders()
  const berthId = idIn('two', site.ids)

  await site.berths.create(berthId, { signal })

  expect(await site.parts.two.berths.find(berthId, { signal })).not.toBeNull()
  expect(await site.parts.one.berths.find(berthId, { signal })).toBeNull()
})

test('a list shows the berths of every cell', async () => {
  await using site = await makeRoutedFolders()
  const made = [idIn('one', site.ids), idIn('two', site.ids)]
  for (const berthId of made) await site.berths.create(berthId, { signal })

  const listed = await collect(site.berths.list({ signal }))

  expect(listed.map(({ berthId }) => berthId).toSorted()).toEqual(made.toSorted())
})

test('a list with a cell that is away gives what it can and then fails, so that a part is not taken for all', async () => {
  await using site = await makeRoutedFolders()
  const berthId = idIn('one', site.ids)
  await site.parts.one.berths.create(berthId, { signal })
  const cells = [away('two'), openedCell('one', site.parts.one as unknown as Backend)]
  const routed = createRoutedBackend({ cells, cellOf: async (id) => cellOf(id), backend: 'local' })
  const seen: string[] = []

  const listing = async () => {
    for await (const found of routed.berths.list({ signal })) seen.push(found.berthId)
  }

  expect(await codeOf(listing())).toBe('backend_unavailable')
  expect(seen).toEqual([berthId])
})

test('resources that no row owns are found and destroyed in whatever cell they are', async () => {
  await using site = await makeRoutedFolders()
  const cells = Object.entries(site.parts).map(([name, part]) => openedCell(name, part as unknown as Backend))
  const routed = createRoutedBackend({ cells, cellOf: async () => null, backend: 'local' })
  const orphan = site.ids.berthId()
  await site.parts.two.berths.create(orphan, { signal })

  expect(await routed.berths.find(orphan, { signal })).toEqual({ berthId: orphan, partial: false })
  await routed.berths.destroy(orphan, { signal })

  expect(await site.parts.two.berths.find(orphan, { signal })).toBeNull()
})

test('a berth whose cell is not configured is refused with its name', async () => {
  const routed = createRoutedBackend({ cells: [away('one')], cellOf: async () => 'gone', backend: 'local' })

  await expect(routed.berths.find(ids.berthId(), { signal })).rejects.toMatchObject({
    code: 'backend_unavailable',
    message: expect.stringContaining('lives in cell gone, which this server does not know'),
  })
})

test('the row is asked once per berth, for its cell never changes', async () => {
  await using site = await makeRoutedFolders()
  let asked = 0
  const cells = Object.entries(site.parts).map(([name, part]) => openedCell(name, part as unknown as Backend))
  const routed = createRoutedBackend({
    cells,
    cellOf: async (berthId) => {
      asked += 1
      return cellOf(berthId)
    },
    backend: 'local',
  })
  const berthId = ids.berthId()
  await routed.berths.create(berthId, { signal })

  await routed.berths.find(berthId, { signal })
  await routed.files.usage({ berthId, area: 'files' }, { signal })

  expect(asked).toBe(1)
})

test('capabilities of cells that differ are told honestly', async () => {
  const [rich, poor] = [
    createScriptedDispatch(undefined, { maxConcurrency: 3 }),
    createScriptedDispatch(undefined, { files: false, streamsOutput: false, cancels: false, maxConcurrency: 5 }),
  ]
  const cells = [openedCell('one', withDispatch(rich)), openedCell('two', withDispatch(poor)), away('three')]
  const { dispatch } = createRoutedBackend({ cells, cellOf: async (id) => cellOf(id), backend: 'local' })

  expect(dispatch.capabilities).toEqual({ streamsOutput: false, cancels: false, files: true, maxConcurrency: 8 })
  const request = requestOf(['a.csv'])
  await dispatch.dispatch({ berthId: idIn('one', ids), request, signal })
  expect(await codeOf(dispatch.dispatch({ berthId: idIn('two', ids), request, signal }))).toBe('unsupported')
  await dispatch.dispatch({ berthId: idIn('two', ids), request: requestOf(), signal })
  expect([rich.requests.length, poor.requests.length]).toEqual([1, 1])
})

test('a description comes from any cell that answers, and fails only when none does', async () => {
  const cells = [away('two'), openedCell('one', withDispatch(createScriptedDispatch()))]
  const some = createRoutedBackend({ cells, cellOf: async () => 'one', backend: 'local' })
  const none = createRoutedBackend({ cells: [away('two')], cellOf: async () => 'two', backend: 'local' })

  expect((await some.dispatch.describe()).runner.version).toBe(1)
  expect(await codeOf(none.dispatch.describe())).toBe('backend_unavailable')
})

test('a cell that was away is opened when it is back, once for all who wait', async () => {
  let tries = 0
  let nowMs = 0
  const log = createEventLog()
  const cell = createCellBackend({
    cell: 'one',
    clock: { ...clock, monotonicMs: () => nowMs },
    events: log,
    open: async () => {
      tries += 1
      if (tries === 1) throw new BerthError('backend_unavailable', 'away')
      return withDispatch(createScriptedDispatch())
    },
  })

  expect(await codeOf(cell.open({ signal }))).toBe('backend_unavailable')
  expect(await codeOf(cell.open({ signal }))).toBe('backend_unavailable')
  expect([tries, cell.opened]).toEqual([1, null])
  nowMs = 5000
  const opened = await Promise.all([cell.open({ signal }), cell.open({ signal })])

  expect(tries).toBe(2)
  expect(opened[0]).toBe(opened[1])
  expect(log.codes()).toEqual(['cell.not_opened', 'cell.opened'])
})
