import { BerthError } from './errors.ts'
import { fileNameSchema } from './file-name.ts'
import type { FilePlace } from './ports/tenant-files.ts'

/** A file of a place: the folders to walk from the place's root, then the last name. */
export interface PlacePath {
  readonly folders: readonly string[]
  readonly last: string
}

const MAX_PART_BYTES = 255
const MAX_PARTS = 32

const problemOfPart = (part: string): string | null => {
  if (part === '') return 'has an empty part'
  if (part === '.' || part === '..') return 'has a part "." or ".."'
  if (Buffer.byteLength(part) > MAX_PART_BYTES) return `has a part of more than ${MAX_PART_BYTES} bytes`
  if (part.includes('\0')) return 'contains NUL'
  if (!part.isWellFormed()) return 'is not well-formed Unicode'
  return null
}

const refuse = (name: string, problem: string): never => {
  throw new BerthError('invalid_file_name', `The name ${JSON.stringify(name.slice(0, 300))} ${problem}`)
}

/** Artifacts may lie in sub-folders of `outputs/`; their names come from hostile code. */
const parseArtifactName = (name: string): PlacePath => {
  const folders = name.split('/')
  if (folders.length > MAX_PARTS) refuse(name, `has more than ${MAX_PARTS} parts`)
  for (const part of folders) {
    const problem = problemOfPart(part)
    if (problem !== null) refuse(name, problem)
  }
  const last = folders.pop() ?? ''
  return { folders, last }
}

const parseFileName = (name: string): PlacePath => {
  const parsed = fileNameSchema.safeParse(name)
  if (!parsed.success)
    throw new BerthError('invalid_file_name', parsed.error.issues.map((issue) => issue.message).join('; '))
  return { folders: [], last: name }
}

/** @throws {BerthError} invalid_file_name, for a name that could mean anything else than a file of this place */
export const parsePlacePath = (place: FilePlace, name: string): PlacePath =>
  place.area === 'files' ? parseFileName(name) : parseArtifactName(name)
