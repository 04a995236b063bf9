import type { Backend, CellBackend } from '../../src/backends/backend.ts'
import { createRoutedBackend } from '../../src/backends/routed-backend.ts'
import type { BerthId } from '../../src/domain/ids.ts'
import { createScriptedDispatch } from '../support/scripted-dispatch.ts'
import { makeFolders } from './local/subject.ts'

/** Ids are random, so both cells get about half of the berths. */
export const cellOf = (berthId: BerthId): 'one' | 'two' => (berthId.charCodeAt(15) % 2 === 0 ? 'one' : 'two')

export const openedCell = (cell: string, backend: Backend): CellBackend => ({
  cell,
  opened: backend,
  open: async ({ signal }) => {
    signal.throwIfAborted()
    return backend
  },
})

export const nowhere = async (): Promise<never> => {
  throw new Error('not part of this test')
}

/** Two folders as two cells behind one backend; no runner. */
export const makeRoutedFolders = async () => {
  const [one, two] = [await makeFolders(), await makeFolders()]
  const rest = { dispatch: createScriptedDispatch(), fleet: { list: nowhere, update: nowhere, selfTest: nowhere } }
  const parts = { one: { ...one, ...rest }, two: { ...two, ...rest } }
  const cells = Object.entries(parts).map(([cell, part]) => openedCell(cell, part as unknown as Backend))
  const routed = createRoutedBackend({ cells, cellOf: async (berthId) => cellOf(berthId), backend: 'local' })
  return {
    ...routed,
    parts,
    ids: one.ids,
    makePartial: (berthId: BerthId) => parts[cellOf(berthId)].makePartial(berthId),
    [Symbol.asyncDispose]: async () => {
      await one[Symbol.asyncDispose]()
      await two[Symbol.asyncDispose]()
    },
  }
}

/** A new berth id that lives in that cell. */
export const idIn = (cell: 'one' | 'two', ids: { berthId(): BerthId }): BerthId => {
  for (;;) {
    const berthId = ids.berthId()
    if (cellOf(berthId) === cell) return berthId
  }
}
