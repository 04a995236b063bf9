import { createHash } from 'node:crypto'
import { BerthError } from '../domain/errors.ts'
import type { FileContent } from '../domain/ports/tenant-files.ts'
import type { Artifact } from '../domain/run.ts'

/** Holds back the last chunk until all bytes are known to be the right ones: a reader gets the whole artifact or a broken transfer. */
async function* checked(chunks: AsyncIterable<Uint8Array>, sha256: string): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256')
  let held: Uint8Array | null = null
  for await (const chunk of chunks) {
    hash.update(chunk)
    if (held !== null) yield held
    held = chunk
  }
  if (hash.digest('hex') !== sha256) throw new BerthError('internal', 'The artifact is not the one that the run wrote.')
  if (held !== null) yield held
}

/** As `checked`, and lets the body go also when nobody has begun to read, of which a generator would not tell it. */
const checkedBody = (body: AsyncIterable<Uint8Array>, sha256: string): AsyncIterableIterator<Uint8Array> => {
  const source = body[Symbol.asyncIterator]()
  const through = checked({ [Symbol.asyncIterator]: () => source }, sha256)
  return {
    [Symbol.asyncIterator]() {
      return this
    },
    next: () => through.next(),
    return: async () => {
      await source.return?.()
      return { done: true, value: undefined }
    },
  }
}

/**
 * The artifact as long as it is what its run reported. Where the role of a berth may write below the prefix of all its runs, code
 * of a later run can replace what an earlier one wrote. @throws {BerthError} not_found when it did
 */
export const reportedArtifact = async (
  { entry, body }: FileContent,
  { bytes, sha256 }: Pick<Artifact, 'bytes' | 'sha256'>,
): Promise<FileContent> => {
  if (entry.bytes !== bytes) {
    await body[Symbol.asyncIterator]().return?.()
    throw new BerthError('not_found', 'The artifact was replaced after its run; what the run wrote is gone.')
  }
  return { entry: { ...entry, sha256 }, body: checkedBody(body, sha256) }
}
