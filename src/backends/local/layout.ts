import { mkdir, realpath } from 'node:fs/promises'
import { isAbsolute, join, relative } from 'node:path'
import { BerthError } from '../../domain/errors.ts'
import { type BerthId, berthIdSchema, runIdSchema } from '../../domain/ids.ts'

/** Every path of the local backend. All of it lies below one folder and on one file system, so renames are atomic. */
export interface Layout {
  readonly root: string
  /** One folder per berth. */
  readonly berths: string
  /** Uploads that are not complete yet; never visible to a run. */
  readonly incoming: string
  /** Berths on their way out. */
  readonly trash: string
  /** Where the runner builds its sandboxes. */
  readonly scratch: string
  /** Copies of runners, each named by its digest. */
  readonly runners: string
  berth(berthId: BerthId): string
  /** Written last by `create`: a berth without it is partial. */
  marker(berthId: BerthId): string
  /** Whose the berth is; see `folder-owners.ts`. */
  owner(berthId: BerthId): string
  files(berthId: BerthId): string
  runs(berthId: BerthId): string
  run(berthId: BerthId, runId: string): string
}

/** Types vanish at run time; an id that becomes a path is checked again. */
const checkedBerth = (berthId: BerthId): BerthId => {
  if (!berthIdSchema.safeParse(berthId).success)
    throw new BerthError(
      'invalid_request',
      `A berth id is "b" and 15 base32 characters, got ${JSON.stringify(berthId)}`,
    )
  return berthId
}

const checkedRun = (runId: string): string => {
  if (!runIdSchema.safeParse(runId).success)
    throw new BerthError('invalid_request', `A run id is "r" and 23 base32 characters, got ${JSON.stringify(runId)}`)
  return runId
}

/** True when `path` is `folder` or lies below it. Both are absolute and without symlinks. */
const isWithin = (path: string, folder: string): boolean => {
  const way = relative(folder, path)
  return way === '' || (!way.startsWith('..') && !isAbsolute(way))
}

/** Folders that every sandbox sees read-only; tenants' files must never lie in one of them. */
const SYSTEM_FOLDERS = ['/bin', '/dev', '/etc', '/lib', '/lib32', '/lib64', '/opt', '/proc', '/sbin', '/sys', '/usr']

const refuseVisible = async (root: string, visible: readonly string[]): Promise<void> => {
  for (const folder of [...SYSTEM_FOLDERS, ...visible]) {
    const real = await realpath(folder).catch(() => folder)
    if (!isWithin(root, real)) continue
    throw new BerthError(
      'config_invalid',
      `The data directory ${root} lies in ${folder}, which every sandbox can read. Set BERTH_DATA_DIR to a folder outside of it.`,
    )
  }
}

/**
 * Makes the folders and returns their paths. The root may be reached through a symlink, which is the operator's choice: it is
 * resolved once, here, and every later step refuses symlinks.
 * @param visible further folders that the sandbox binds, for example the Python prefix
 * @throws {BerthError} config_invalid when tenants' files would lie where every sandbox can read
 */
export const openLayout = async (dataDir: string, visible: readonly string[]): Promise<Layout> => {
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const root = await realpath(dataDir)
  await refuseVisible(root, visible)
  const berths = join(root, 'berths')
  const folders = {
    berths,
    incoming: join(root, 'incoming'),
    trash: join(root, 'trash'),
    scratch: join(root, 'scratch'),
    runners: join(root, 'runners'),
  }
  for (const folder of Object.values(folders)) await mkdir(folder, { recursive: true, mode: 0o700 })
  const berth = (berthId: BerthId) => `${berths}/${checkedBerth(berthId)}`
  return {
    root,
    ...folders,
    berth,
    marker: (berthId) => `${berth(berthId)}/berth.json`,
    owner: (berthId) => `${berth(berthId)}/owner.json`,
    files: (berthId) => `${berth(berthId)}/files`,
    runs: (berthId) => `${berth(berthId)}/runs`,
    run: (berthId, runId) => `${berth(berthId)}/runs/${checkedRun(runId)}`,
  }
}
