import { createHash, randomUUID } from 'node:crypto'
import { cp, glob, mkdir, readFile, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { BerthError } from '../../domain/errors.ts'
import type { RunnerImage } from '../../domain/wanted-image.ts'

/** A copy of the runner that nobody changes any more, with the name that its files give it. */
export interface KeptRunner extends RunnerImage {
  readonly dir: string
}

export interface RunnerImages {
  /** Copies what lies in the runner's folder now. @throws {BerthError} config_invalid, backend_unavailable (the disk) */
  keep(): Promise<KeptRunner>
  /** A copy from before, also of another server's life; null when there is none, or it is not what it was. */
  kept(image: string): Promise<KeptRunner | null>
  /** One that was kept before, or what the folder holds now. @throws {BerthError} unsupported when it is neither; what `keep` throws */
  find(image: string): Promise<KeptRunner>
  /** Removes all copies but these. */
  keepOnly(images: Iterable<string>): Promise<void>
}

const PACKAGE = 'berth_runner'
const VERSION = 'VERSION'
/** Python's name for what it has not finished compiling; it is renamed at any moment. */
const UNFINISHED = /\.pyc\.\d+$/

/** Of names and contents; what Python compiles for itself is no part of it. */
const digestOf = async (dir: string): Promise<string> => {
  const names: string[] = [VERSION]
  for await (const entry of glob(`${PACKAGE}/**`, { cwd: dir, withFileTypes: true }))
    if (entry.isFile() && !entry.parentPath.includes('__pycache__'))
      names.push(join(entry.parentPath, entry.name).slice(dir.length + 1))
  const hash = createHash('sha256')
  for (const name of names.toSorted()) {
    const content = await readFile(join(dir, name))
    hash.update(`${name}\0${content.length}\0`).update(content)
  }
  return hash.digest('hex')
}

const versionIn = async (dir: string, runnerDir: string): Promise<number> => {
  const text = (await readFile(join(dir, VERSION), 'utf8')).trim()
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new BerthError(
    'config_invalid',
    `${join(runnerDir, VERSION)}: expected a whole number from 1, got ${JSON.stringify(text.slice(0, 40))}`,
  )
}

const copy = async (runnerDir: string, to: string): Promise<void> => {
  try {
    await mkdir(to, { recursive: true, mode: 0o700 })
    // Times too: what Python has compiled beside its sources is good for them only.
    const filter = (path: string): boolean => !UNFINISHED.test(path)
    const how = { recursive: true, dereference: true, preserveTimestamps: true, filter }
    for (const name of [VERSION, PACKAGE]) await cp(join(runnerDir, name), join(to, name), how)
  } catch (cause) {
    throw copyFault(cause as NodeJS.ErrnoException, runnerDir, to)
  }
}

const copyFault = (cause: NodeJS.ErrnoException, runnerDir: string, to: string): BerthError => {
  const expected = `expected a file ${VERSION} and a folder ${PACKAGE}`
  if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR')
    return new BerthError('config_invalid', `The runner cannot be copied from ${runnerDir}: ${expected}`, { cause })
  // A full disk is no fault of the runner that is installed.
  const told = `The runner could not be copied from ${runnerDir} to ${dirname(to)} (${cause.code})`
  return new BerthError('backend_unavailable', `${told}; make room there, or let this user read and write both`, {
    cause,
  })
}

const isSound = async ({ dir, digest }: { dir: string; digest: string }): Promise<boolean> =>
  (await digestOf(dir).catch(() => null)) === digest

/**
 * Runners by what they are made of. A process starts from a copy of its own: it starts parts of itself again later, and must then find what it
 * was, whatever has been installed in the folder meanwhile.
 */
export const createRunnerImages = (runnerDir: string, folder: string): RunnerImages => {
  const keep = async (): Promise<KeptRunner> => {
    const incoming = join(folder, `incoming-${randomUUID()}`)
    try {
      await copy(runnerDir, incoming)
      const version = await versionIn(incoming, runnerDir)
      const digest = await digestOf(incoming)
      const dir = join(folder, digest)
      if (!(await isSound({ dir, digest }))) {
        // What a power cut has left of a copy; no runner that lives started from it.
        await rm(dir, { recursive: true, force: true })
        await rename(incoming, dir)
      }
      return { image: `local:${version}@sha256:${digest}`, version, dir }
    } finally {
      await rm(incoming, { recursive: true, force: true })
    }
  }

  const kept = async (image: string): Promise<KeptRunner | null> => {
    const named = nameOf(image)
    if (named === null) return null
    const dir = join(folder, named.digest)
    return (await isSound({ dir, digest: named.digest })) ? { image, version: named.version, dir } : null
  }

  return {
    keep,
    kept,
    find: async (image) => {
      const before = await kept(image)
      if (before !== null) return before
      const present = await keep()
      if (present.image === image) return present
      throw new BerthError(
        'unsupported',
        `image: expected ${present.image}, which lies in ${runnerDir}, got ${image}; install the release that has it and ask again`,
      )
    },
    keepOnly: async (images) => {
      const digests = new Set([...images].map((image) => nameOf(image)?.digest))
      for (const name of await readdir(folder))
        if (!digests.has(name)) await rm(join(folder, name), { recursive: true, force: true })
    },
  }
}

/** The whole name is looked at: a part of it becomes a path. */
const nameOf = (image: string): { version: number; digest: string } | null => {
  const [, version, digest] = /^local:([1-9]\d{0,8})@sha256:([0-9a-f]{64})$/.exec(image) ?? []
  return version === undefined || digest === undefined ? null : { version: Number(version), digest }
}
