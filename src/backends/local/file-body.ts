import type { FileHandle } from 'node:fs/promises'

const CHUNK_BYTES = 256 * 1024

/**
 * The rest of an open file as chunks. The file is closed at its end, after an error, and when the reader leaves early, even
 * before the first chunk: a generator would not see that.
 */
export const readBody = (file: FileHandle, bytes: number): AsyncIterableIterator<Uint8Array> => {
  let left = bytes
  let closed = false
  const close = async (): Promise<void> => {
    if (closed) return
    closed = true
    await file.close()
  }
  const finish = async (): Promise<IteratorReturnResult<undefined>> => {
    await close()
    return { done: true, value: undefined }
  }
  const read = async (): Promise<IteratorResult<Uint8Array, undefined>> => {
    if (closed || left === 0) return finish()
    const chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, left))
    const { bytesRead } = await file.read(chunk)
    if (bytesRead === 0) throw new Error(`The file ended ${left} bytes early`)
    left -= bytesRead
    return { done: false, value: chunk.subarray(0, bytesRead) }
  }
  return {
    [Symbol.asyncIterator]() {
      return this
    },
    next: () =>
      read().catch(async (error: unknown) => {
        await close()
        throw error
      }),
    return: finish,
  }
}
