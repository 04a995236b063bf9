import { BerthError } from '../../domain/errors.ts'
import { type BerthId, berthIdSchema, type RunId, runIdSchema } from '../../domain/ids.ts'
import { parsePlacePath } from '../../domain/place-path.ts'
import type { FilePlace } from '../../domain/ports/tenant-files.ts'
import { filesPrefixOf, runPrefixOf, runsPrefixOf } from './names.ts'

/** @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html (2026-11-22) */
const MAX_KEY_BYTES = 1024

/** Types vanish at run time; an id that becomes part of a key is checked again. */
const checkedBerth = (berthId: BerthId): BerthId => {
  if (berthIdSchema.safeParse(berthId).success) return berthId
  throw new BerthError('invalid_request', `A berth id is "b" and 15 base32 characters, got ${JSON.stringify(berthId)}`)
}

const checkedRun = (runId: RunId): RunId => {
  if (runIdSchema.safeParse(runId).success) return runId
  throw new BerthError('invalid_request', `A run id is "r" and 23 base32 characters, got ${JSON.stringify(runId)}`)
}

/** Prefix of all keys of a place; it ends in "/". */
export const prefixOfPlace = (place: FilePlace): string =>
  place.area === 'files'
    ? filesPrefixOf(checkedBerth(place.berthId))
    : runPrefixOf(checkedBerth(place.berthId), checkedRun(place.runId))

/** Prefix of all runs of a berth. */
export const prefixOfRuns = (berthId: BerthId): string => runsPrefixOf(checkedBerth(berthId))

/** @throws {BerthError} invalid_file_name for a name that could mean anything else than a file of this place */
export const keyOf = (place: FilePlace, name: string): string => {
  parsePlacePath(place, name)
  const key = `${prefixOfPlace(place)}${name}`
  if (Buffer.byteLength(key) <= MAX_KEY_BYTES) return key
  throw new BerthError('invalid_file_name', `The name ${JSON.stringify(name.slice(0, 300))} is too long for its place`)
}

/**
 * True for a name that callers may see. Code in the berth can write keys of any kind below its own prefix; a name like
 * "../../x" must not reach somebody who saves files under their names.
 */
export const isShown = (place: FilePlace, name: string): boolean => {
  try {
    parsePlacePath(place, name)
    return true
  } catch {
    return false
  }
}
