import { readdir, readFile, rename } from 'node:fs/promises'
import { parseOwner, writeOwner } from '../../domain/berth-owner.ts'
import { BerthError } from '../../domain/errors.ts'
import type { BerthId } from '../../domain/ids.ts'
import type { BerthOwners, OwnerTrace } from '../../domain/ports/berth-owners.ts'
import { hasCode } from './beneath.ts'
import { syncFolder, writeDurably } from './durable.ts'
import type { Layout } from './layout.ts'

const unlessAbsent = async <T, U>(work: Promise<T>, otherwise: U): Promise<T | U> => {
  try {
    return await work
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return otherwise
    throw error
  }
}

const holdsAnything = async (layout: Layout, berthId: BerthId): Promise<boolean> => {
  const areas = [layout.files(berthId), layout.runs(berthId)]
  const names = await Promise.all(areas.map((folder) => unlessAbsent(readdir(folder), [])))
  return names.flat().length > 0
}

const unavailable = (berthId: BerthId, cause: unknown): BerthError =>
  new BerthError('backend_unavailable', `Whose berth ${berthId} is cannot be read or written`, {
    cause,
    retryAfterSeconds: 5,
  })

/** A file beside `files/` and `runs/`; sandboxes see a berth's files and nothing of what lies beside them. */
export const createFolderOwners = (layout: Layout): BerthOwners => ({
  async record(owner, { signal }) {
    signal.throwIfAborted()
    const path = layout.owner(owner.berthId)
    const write = async () => {
      await writeDurably(`${path}.new`, writeOwner(owner))
      await rename(`${path}.new`, path)
      await syncFolder(layout.berth(owner.berthId))
    }
    await unlessAbsent(write(), null).catch((error: unknown) => {
      throw unavailable(owner.berthId, error)
    })
  },

  async trace(berthId, { signal }): Promise<OwnerTrace> {
    signal.throwIfAborted()
    const read = async (): Promise<OwnerTrace> => {
      const holdsFiles = await holdsAnything(layout, berthId)
      const text = await unlessAbsent(readFile(layout.owner(berthId), 'utf8'), null)
      if (text === null) return { kind: 'unclaimed', holdsFiles }
      const owner = parseOwner(text, berthId)
      return owner === null ? { kind: 'illegible', holdsFiles } : { kind: 'owned', owner, holdsFiles }
    }
    return read().catch((error: unknown) => {
      throw unavailable(berthId, error)
    })
  },
})
