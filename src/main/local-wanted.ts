import { readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'
import { syncFolder, writeDurably } from '../backends/local/durable.ts'
import type { RunBefore } from '../backends/local/local-backend.ts'
import { BerthError } from '../domain/errors.ts'
import type { Fences } from '../domain/ports/fences.ts'
import { imageSchema, type RunnerImage, type Wanted, wantedImageSchema } from '../domain/wanted-image.ts'
import type { WantedPlace } from '../rollout/rollout-deps.ts'
import { targetOf } from '../rollout/wanted-changes.ts'

export interface LocalWanted extends WantedPlace {
  readonly fences: Fences
  /** The image that was left for the one before it; null when none was. */
  declined(): string | null
}

interface Remembered {
  readonly wanted: Wanted
  readonly declined: string | null
}

/** What is wanted on this machine: a file that only the server writes, for it holds the lock of the data directory. */
export const openLocalWanted = async (path: string, present: RunnerImage): Promise<LocalWanted> => {
  let remembered = atStart(await readRemembered(path), present)
  let writing: Promise<unknown> = write(path, remembered)
  await writing
  const change = async (make: (before: Wanted | null) => Wanted): Promise<Wanted> => {
    const wanted = { ...make(remembered.wanted), by: 'an operator of this server' }
    const next = { wanted, declined: declinedBy(remembered, wanted) }
    await write(path, next)
    remembered = next
    return wanted
  }
  return {
    read: async () => remembered.wanted,
    change: (make) => {
      const changed = writing.catch(() => undefined).then(() => change(make))
      writing = changed
      return changed
    },
    declined: () => remembered.declined,
    fences: { of: async () => ({ minRunnerVersion: remembered.wanted.fence, image: remembered.wanted.image }) },
  }
}

/** What a server must know before it starts a runner. @throws {BerthError} config_invalid */
export const readRunBefore = async (path: string): Promise<RunBefore | null> => {
  const before = await readRemembered(path)
  if (before === null) return null
  const { image, candidate, previous } = before.wanted
  const unproven = [candidate?.image, before.declined].filter((name) => typeof name === 'string')
  return { image, insteadOf: unproven, previous: previous?.image ?? null }
}

/** To be brought elsewhere without being offered it first is the way back. */
const declinedBy = ({ wanted, declined }: Remembered, next: Wanted): string | null => {
  const [from, to] = [targetOf(wanted).image, targetOf(next).image]
  if (from === to) return declined
  return next.candidate === undefined ? from : null
}

/** A release that was installed meanwhile goes on from what was there before. @throws {BerthError} config_invalid */
const atStart = (before: Remembered | null, { image, version }: RunnerImage): Remembered => {
  if (before === null) return { wanted: { image, version, fence: 0 }, declined: null }
  const { wanted } = before
  const { fence } = wanted
  if (version < fence)
    throw new BerthError(
      'config_invalid',
      `The runner that is installed has version ${version}, which is behind the fence ${fence}: it would refuse every run. Install the release with version ${fence} or newer`,
    )
  if (image === wanted.image) return before
  const previous = { image: wanted.image, version: wanted.version }
  return { wanted: { image, version, fence, previous }, declined: null }
}

const readRemembered = async (path: string): Promise<Remembered | null> => {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw new BerthError('config_invalid', `${path}: expected a file that this user may read (${error.code})`, {
      cause: error,
    })
  })
  if (text === null) return null
  try {
    const json: unknown = JSON.parse(text)
    return { wanted: wantedImageSchema.parse(json), ...declinedSchema.parse(json) }
  } catch (cause) {
    throw new BerthError(
      'config_invalid',
      `${path}: expected what this server wrote there last, got something else; without the file no runner is fenced off`,
      { cause },
    )
  }
}

const declinedSchema = z.object({ declined: imageSchema.nullable().default(null) })

const write = async (path: string, { wanted, declined }: Remembered): Promise<void> => {
  try {
    await writeDurably(`${path}.new`, `${JSON.stringify({ ...wanted, declined })}\n`)
    await rename(`${path}.new`, path)
    await syncFolder(dirname(path))
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new BerthError(
      'backend_unavailable',
      `What is wanted on this machine could not be written to ${path} (${code}); make room, then ask again`,
      { cause },
    )
  }
}
