import type { Readable } from 'node:stream'

/**
 * The chunks of a download. Its connection is given back at the end, after an error, and when the reader leaves early, even before
 * the first chunk: a stream's own iterator would not see that.
 */
export const readDownload = (stream: Readable): AsyncIterableIterator<Uint8Array> => {
  // A connection that breaks before anyone reads must not take the server down; whoever reads then gets the error.
  stream.on('error', () => {})
  const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>
  return {
    [Symbol.asyncIterator]() {
      return this
    },
    next: () => chunks.next(),
    return: async () => {
      stream.destroy()
      return { done: true, value: undefined }
    },
  }
}
