import { lstat, mkdir, readdir, rename, rm, unlink } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { BerthError } from '../../domain/errors.ts'
import { decodeCursor, encodeCursor } from '../../domain/file-cursor.ts'
import { type RunId, runIdSchema } from '../../domain/ids.ts'
import { type PlacePath, parsePlacePath } from '../../domain/place-path.ts'
import type { FileEntry, FilePlace, TenantFiles } from '../../domain/ports/tenant-files.ts'
import { entryOf, hasCode, openRegular, pathOf, withFolder } from './beneath.ts'
import { readBody } from './file-body.ts'
import { explainDisk, receiveUpload, type Upload } from './file-upload.ts'
import { namesBelow } from './folder-walk.ts'
import type { Layout } from './layout.ts'
import { rootOf } from './place-root.ts'

const parentOf = (layout: Layout, place: FilePlace, path: PlacePath) => {
  const { root, parts } = rootOf(layout, place)
  return { root, parts: [...parts, ...path.folders] }
}

const entryFor = async (folder: FileHandle, name: string): Promise<FileEntry | null> => {
  const stats = await lstat(entryOf(folder, name)).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return null
    throw error
  })
  if (stats === null || !stats.isFile()) return null
  return { name, bytes: stats.size, modifiedAt: stats.mtime, sha256: null }
}

/** Makes the folders of a run's artifact. Each is made inside its opened parent, which is known to be a real folder. */
const makeFolders = async (parent: { root: string; parts: readonly string[] }): Promise<void> => {
  for (const [index, part] of parent.parts.entries()) {
    await withFolder({ root: parent.root, parts: parent.parts.slice(0, index) }, undefined, async (folder) => {
      await mkdir(entryOf(folder, part), 0o700).catch((error: unknown) => {
        if (!hasCode(error, 'EEXIST')) throw error
      })
      await folder.sync()
    })
  }
}

const publish = async (parent: { root: string; parts: readonly string[] }, last: string, upload: Upload) => {
  const done = await withFolder(parent, false, async (folder) => {
    await rename(upload.path, entryOf(folder, last))
    await folder.sync()
    return true
  }).catch((error: unknown) => {
    // The berth was deleted after its folder had been opened.
    if (hasCode(error, 'ENOENT')) return false
    throw error
  })
  if (!done) throw new BerthError('not_found', 'The berth has no such folder')
}

const listPage: (layout: Layout) => TenantFiles['list'] =
  (layout) =>
  async (place, { cursor, limit, signal }) => {
    const after = decodeCursor(cursor)
    return withFolder(rootOf(layout, place), { entries: [], nextCursor: null }, async (folder) => {
      const names = (await namesBelow(pathOf(folder), signal)).filter((name) => name > after).toSorted()
      const page = await Promise.all(names.slice(0, limit).map((name) => entryFor(folder, name)))
      const last = names.length > limit ? names[limit - 1] : undefined
      return {
        entries: page.filter((entry) => entry !== null),
        nextCursor: last === undefined ? null : encodeCursor(last),
      }
    })
  }

// The port has four parameters.
// oxlint-disable-next-line max-params
const put: (layout: Layout) => TenantFiles['put'] = (layout) => async (place, name, body, options) => {
  const path = parsePlacePath(place, name)
  const parent = parentOf(layout, place, path)
  const upload = await receiveUpload(layout, body, options)
  try {
    if (place.area === 'run') await makeFolders(parent)
    await publish(parent, path.last, upload)
  } catch (error) {
    await rm(upload.path, { force: true })
    throw explainDisk(error)
  }
  return { name, bytes: upload.bytes, modifiedAt: upload.modifiedAt, sha256: upload.sha256 }
}

const get: (layout: Layout) => TenantFiles['get'] =
  (layout) =>
  async (place, name, { signal }) => {
    signal.throwIfAborted()
    const path = parsePlacePath(place, name)
    return withFolder(parentOf(layout, place, path), null, async (folder) => {
      const file = await openRegular(entryOf(folder, path.last))
      if (file === null) return null
      const stats = await file.stat()
      const entry = { name, bytes: stats.size, modifiedAt: stats.mtime, sha256: null }
      return { entry, body: readBody(file, stats.size) }
    })
  }

const deleteOne: (layout: Layout) => TenantFiles['delete'] =
  (layout) =>
  async (place, name, { signal }) => {
    signal.throwIfAborted()
    const path = parsePlacePath(place, name)
    return withFolder(parentOf(layout, place, path), false, async (folder) => {
      if ((await entryFor(folder, path.last)) === null) return false
      await unlink(entryOf(folder, path.last))
      await folder.sync()
      return true
    })
  }

const removeInside = (folder: FileHandle, name: string): Promise<void> =>
  rm(entryOf(folder, name), { recursive: true, force: true, maxRetries: 3 })

/** The folder of a berth's files stays, because the berth stays; the folder of a run goes. */
const deleteAll: (layout: Layout) => TenantFiles['deleteAll'] =
  (layout) =>
  async (place, { signal }) => {
    const { root, parts } = rootOf(layout, place)
    const count = await withFolder({ root, parts }, 0, async (folder) => {
      const names = await namesBelow(pathOf(folder), signal)
      if (place.area === 'files') for (const name of await readdir(pathOf(folder))) await removeInside(folder, name)
      await folder.sync()
      return names.length
    })
    if (place.area === 'files') return count
    await withFolder({ root, parts: ['runs'] }, undefined, async (folder) => {
      await removeInside(folder, place.runId)
      await folder.sync()
    })
    return count
  }

const listRuns: (layout: Layout) => TenantFiles['listRuns'] =
  (layout) =>
  async (berthId, { untouchedSince, signal }) =>
    withFolder({ root: layout.berth(berthId), parts: ['runs'] }, [], async (folder) => {
      const runs: RunId[] = []
      for (const name of await readdir(pathOf(folder))) {
        signal.throwIfAborted()
        const runId = runIdSchema.safeParse(name)
        const stats = await lstat(entryOf(folder, name)).catch(() => null)
        if (runId.success && stats !== null && stats.mtime < untouchedSince) runs.push(runId.data)
      }
      return runs
    })

const usage: (layout: Layout) => TenantFiles['usage'] =
  (layout) =>
  async (place, { signal }) =>
    withFolder(rootOf(layout, place), { bytes: 0, files: 0 }, async (folder) => {
      const names = await namesBelow(pathOf(folder), signal)
      let bytes = 0
      for (const name of names) bytes += (await entryFor(folder, name))?.bytes ?? 0
      return { bytes, files: names.length }
    })

/** Files of berths as plain files under their own names (NFC, so at most 255 bytes). No presigned URLs: there is nobody to sign for. */
export const createFolderFiles = (layout: Layout): TenantFiles => ({
  list: listPage(layout),
  put: put(layout),
  get: get(layout),
  delete: deleteOne(layout),
  deleteAll: deleteAll(layout),
  listRuns: listRuns(layout),
  // Code sees the folder of its own run and nothing beside it.
  deleteStrays: async () => 0,
  presign: async () => null,
  usage: usage(layout),
})
