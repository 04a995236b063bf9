import type { Cell } from '../../aws/cell.ts'
import { writeOwner } from '../../domain/berth-owner.ts'
import type { BerthOwners } from '../../domain/ports/berth-owners.ts'
import { putOwnerText, readOwnerText, readTrace } from '../lambda/s3-owners.ts'
import { hasMark, markKeyOf } from './marks.ts'

/** The mark says whose the berth is as well; a spare's is empty. The shared role reads nothing in the bucket. */
export const createMarkOwners = (cell: Cell): BerthOwners => ({
  async record(owner, options) {
    options.signal.throwIfAborted()
    // A mark is the berth: none may come by writing whose it is.
    if (!(await hasMark(cell, owner.berthId, options.signal))) return
    await putOwnerText(cell, { key: markKeyOf(owner.berthId), text: writeOwner(owner) }, options)
  },

  async trace(berthId, options) {
    options.signal.throwIfAborted()
    const text = await readOwnerText(cell, markKeyOf(berthId), options)
    return readTrace(text === '' ? null : text, { berthId, holdsFiles: false })
  },
})
