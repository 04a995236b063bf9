import { awsError, awsFailureOf } from '../../aws/aws-errors.ts'
import type { Cell } from '../../aws/cell.ts'

/**
 * One request to S3 as Berth's errors tell it; the client repeats by itself what may be repeated.
 * @throws {BerthError} backend_unavailable, internal; the signal's reason
 */
export const s3Call = async <T>(
  cell: Cell,
  { operation, signal }: { operation: string; signal: AbortSignal },
  send: (options: { abortSignal: AbortSignal }) => Promise<T>,
): Promise<T> => {
  signal.throwIfAborted()
  try {
    return await send({ abortSignal: signal })
  } catch (error) {
    if (signal.aborted) throw signal.reason
    throw awsError(error, { cell: cell.name, operation })
  }
}

/** As `s3Call`, null when there is no such key or upload. */
export const s3Find = <T>(
  cell: Cell,
  options: { operation: string; signal: AbortSignal },
  send: (options: { abortSignal: AbortSignal }) => Promise<T>,
): Promise<T | null> =>
  s3Call<T | null>(cell, options, async (signal) => {
    try {
      return await send(signal)
    } catch (error) {
      // A HEAD has no body to carry a name, so the status says it.
      const { name, status } = awsFailureOf(error) ?? {}
      if (name === 'NoSuchKey' || name === 'NoSuchUpload' || (name === 'NotFound' && status === 404)) return null
      throw error
    }
  })

/**
 * A key of a listing. They are asked for URL-encoded, for XML has no way to write some characters that a key may contain; the
 * answer says whether they are.
 */
export const decodeKey = (key: string, encoding: string | undefined): string =>
  encoding === 'url' ? decodeURIComponent(key.replaceAll('+', ' ')) : key
