import { readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncFolder, writeDurably } from '../backends/local/durable.ts'
import { BerthError } from '../domain/errors.ts'
import type { Fences } from '../domain/ports/fences.ts'
import { type RunnerImage, type Wanted, wantedImageSchema } from '../domain/wanted-image.ts'
import type { WantedPlace } from '../rollout/rollout-deps.ts'

export interface LocalWanted extends WantedPlace {
  readonly fences: Fences
}

/** What is wanted on this machine: a file that only the server writes, for it holds the lock of the data directory. */
export const openLocalWanted = async (path: string, present: RunnerImage): Promise<LocalWanted> => {
  let wanted = atStart(await readWanted(path), present)
  let writing: Promise<unknown> = write(path, wanted)
  await writing
  const change = async (make: (before: Wanted | null) => Wanted): Promise<Wanted> => {
    const next = { ...make(wanted), by: 'an operator of this server' }
    await write(path, next)
    wanted = next
    return next
  }
  return {
    read: async () => wanted,
    change: (make) => {
      const changed = writing.catch(() => undefined).then(() => change(make))
      writing = changed
      return changed
    },
    fences: { of: async () => ({ minRunnerVersion: wanted.fence, image: wanted.image }) },
  }
}

/** A server starts with the runner that is installed; only the fence is older than the server. @throws {BerthError} config_invalid */
const atStart = (before: Wanted | null, { image, version }: RunnerImage): Wanted => {
  const fence = before?.fence ?? 0
  if (version >= fence) return { image, version, fence }
  throw new BerthError(
    'config_invalid',
    `The runner that is installed has version ${version}, which is behind the fence ${fence}: it would refuse every run. Install the release with version ${fence} or newer`,
  )
}

const readWanted = async (path: string): Promise<Wanted | null> => {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (text === null) return null
  try {
    return wantedImageSchema.parse(JSON.parse(text))
  } catch (cause) {
    throw new BerthError(
      'config_invalid',
      `${path}: expected what this server wrote there last, got something else; without the file no runner is fenced off`,
      { cause },
    )
  }
}

const write = async (path: string, wanted: Wanted): Promise<void> => {
  await writeDurably(`${path}.new`, `${JSON.stringify(wanted)}\n`)
  await rename(`${path}.new`, path)
  await syncFolder(dirname(path))
}
