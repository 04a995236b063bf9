import { randomUUID } from 'node:crypto'
import { access, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { BerthError } from '../../domain/errors.ts'
import { type BerthId, berthIdSchema } from '../../domain/ids.ts'
import type { BerthResources, Berths, DestroyReport } from '../../domain/ports/berths.ts'
import { hasCode } from './beneath.ts'
import { syncFolder, writeDurably } from './durable.ts'
import { createFolderOwners } from './folder-owners.ts'
import type { Layout } from './layout.ts'

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    (error: unknown) => {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false
      throw error
    },
  )

const unavailable = (detail: string, cause: unknown): BerthError =>
  new BerthError('backend_unavailable', detail, { cause, retryAfterSeconds: 5 })

const createFolders = async (layout: Layout, berthId: BerthId): Promise<void> => {
  if (await exists(layout.marker(berthId))) return
  const folder = layout.berth(berthId)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  for (const inner of [layout.files(berthId), layout.runs(berthId)])
    await mkdir(inner, { recursive: true, mode: 0o700 })
  await syncFolder(folder)
  await writeDurably(layout.marker(berthId), `${JSON.stringify({ format: 1, berthId })}\n`)
  await syncFolder(folder)
  await syncFolder(layout.berths)
}

const countFiles = async (folder: string): Promise<number> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return []
    throw error
  })
  return entries.filter((entry) => !entry.isDirectory()).length
}

/** Left-overs of an earlier `destroy` of this berth that was cut off. Their names begin with the berth's id. */
const trashOf = async (layout: Layout, berthId: BerthId): Promise<readonly string[]> =>
  (await readdir(layout.trash))
    .filter((name) => name.startsWith(`${berthId}.`))
    .map((name) => `${layout.trash}/${name}`)

const destroyFolders = async (layout: Layout, berthId: BerthId): Promise<DestroyReport> => {
  const target = `${layout.trash}/${berthId}.${randomUUID()}`
  await rename(layout.berth(berthId), target).catch((error: unknown) => {
    if (!hasCode(error, 'ENOENT')) throw error
  })
  await syncFolder(layout.berths)
  const condemned = await trashOf(layout, berthId)
  const count = { folder: condemned.length, files: 0, runs: 0 }
  for (const folder of condemned) {
    count.files += await countFiles(`${folder}/files`)
    count.runs += await countFiles(`${folder}/runs`)
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
  }
  await syncFolder(layout.trash)
  if ((await exists(layout.berth(berthId))) || (await trashOf(layout, berthId)).length > 0)
    throw new BerthError('backend_unavailable', `Berth ${berthId} is still there after its deletion`)
  return {
    deleted: [
      { kind: 'folder', name: berthId, count: count.folder },
      { kind: 'file', name: `${berthId}/files`, count: count.files },
      { kind: 'artifact', name: `${berthId}/runs`, count: count.runs },
    ],
    verifiedAbsent: [{ kind: 'folder', name: berthId }],
  }
}

const findFolders = async (layout: Layout, berthId: BerthId): Promise<BerthResources | null> => {
  if (await exists(layout.marker(berthId))) return { berthId, partial: false }
  const partial = (await exists(layout.berth(berthId))) || (await trashOf(layout, berthId)).length > 0
  return partial ? { berthId, partial } : null
}

const isBerthId = (name: string): name is BerthId => berthIdSchema.safeParse(name).success

/** Berths as folders: `berths/<id>/{files,runs}` and a marker, written last. */
export const createBerthFolders = (layout: Layout): Berths => ({
  backend: 'local',
  owners: createFolderOwners(layout),

  async create(berthId, { signal }) {
    signal.throwIfAborted()
    layout.berth(berthId)
    await createFolders(layout, berthId).catch((error: unknown) => {
      throw unavailable(`The folders of berth ${berthId} cannot be made`, error)
    })
  },

  async find(berthId, { signal }) {
    signal.throwIfAborted()
    return findFolders(layout, berthId)
  },

  async destroy(berthId, { signal }) {
    signal.throwIfAborted()
    layout.berth(berthId)
    return destroyFolders(layout, berthId).catch((error: unknown) => {
      throw unavailable(`The folders of berth ${berthId} cannot be removed`, error)
    })
  },

  async *list({ signal }) {
    const trashed = (await readdir(layout.trash)).map((name) => name.split('.')[0] ?? '')
    const ids = new Set([...(await readdir(layout.berths)), ...trashed].filter(isBerthId))
    for (const berthId of ids) {
      signal.throwIfAborted()
      const found = await findFolders(layout, berthId)
      if (found !== null) yield { ...found, backend: 'local', cell: 'local' }
    }
  },

  // Runs are refused before they come here, and a berth on this machine has no credentials.
  async suspend(_, { signal }) {
    signal.throwIfAborted()
  },

  async resume(_, { signal }) {
    signal.throwIfAborted()
  },

  async standing(_, { signal }) {
    signal.throwIfAborted()
    return 'nothing_to_suspend'
  },
})
