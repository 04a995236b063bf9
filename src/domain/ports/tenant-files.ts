import type { BerthId, RunId } from '../ids.ts'

/** A folder inside one berth's prefix: the tenant's files, or the artifacts of one run. */
export type FilePlace =
  | { readonly berthId: BerthId; readonly area: 'files' }
  | { readonly berthId: BerthId; readonly area: 'run'; readonly runId: RunId }

export interface FileEntry {
  readonly name: string
  readonly bytes: number
  readonly modifiedAt: Date
  readonly sha256: string | null
}

export interface FilePage {
  readonly entries: readonly FileEntry[]
  readonly nextCursor: string | null
}

export interface FileContent {
  readonly entry: FileEntry
  readonly body: AsyncIterable<Uint8Array>
}

export interface FileUsage {
  readonly bytes: number
  readonly files: number
}

/** Files of one berth, streamed. No name, whatever it contains, reaches outside the place. */
export interface TenantFiles {
  /** In order of names by UTF-16 units. @throws {BerthError} invalid_request for a cursor that no page gave */
  list(place: FilePlace, options: { cursor: string | null; limit: number; signal: AbortSignal }): Promise<FilePage>
  /**
   * Durable when it resolves; a reader sees the old content or the new, never a part.
   * @throws {BerthError} file_too_large when the body exceeds maxBytes; nothing is left behind
   */
  put(
    place: FilePlace,
    name: string,
    body: AsyncIterable<Uint8Array>,
    options: { maxBytes: number; signal: AbortSignal },
  ): Promise<FileEntry>
  get(place: FilePlace, name: string, options: { signal: AbortSignal }): Promise<FileContent | null>
  /** True when there was such a file. */
  delete(place: FilePlace, name: string, options: { signal: AbortSignal }): Promise<boolean>
  /** Removes the place with all it holds and returns how many files that were; 0 when there was no such place. */
  deleteAll(place: FilePlace, options: { signal: AbortSignal }): Promise<number>
  /** Runs of the berth that have a place here which nobody changed since that time. */
  listRuns(berthId: BerthId, options: { untouchedSince: Date; signal: AbortSignal }): Promise<readonly RunId[]>
  /**
   * Removes for good what lies beside the places of runs, belongs to none and was not changed since that time, and returns how many
   * files that were. Only code that names its keys itself leaves any.
   */
  deleteStrays(berthId: BerthId, options: { untouchedSince: Date; signal: AbortSignal }): Promise<number>
  /**
   * A URL that the browser may use directly; null where the backend has none. A PUT takes exactly `bytes` bytes; without that
   * number there is no URL, for it would lead around every limit.
   */
  presign(
    place: FilePlace,
    name: string,
    options: { method: 'GET' | 'PUT'; bytes?: number; signal: AbortSignal },
  ): Promise<string | null>
  /** What all files of the place take together. */
  usage(place: FilePlace, options: { signal: AbortSignal }): Promise<FileUsage>
}
