/** The chunks of a stream. By its reader, since not every browser can iterate a ReadableStream. */
export const chunksOf = async function* (stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield value
    }
  } finally {
    // Leaving the loop early ends the transfer; a stream that has failed already says so a second time.
    await reader.cancel().catch(() => undefined)
  }
}

/** The same stream, whose failure goes through `onError` first. */
export const withErrors = (
  stream: ReadableStream<Uint8Array>,
  onError: (error: unknown) => unknown,
): ReadableStream<Uint8Array> => {
  const reader = stream.getReader()
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read()
        if (done) controller.close()
        else controller.enqueue(value)
      } catch (error) {
        controller.error(onError(error))
      }
    },
    cancel: (reason) => reader.cancel(reason),
  })
}

/** What iterates becomes what fetch can send. */
export const streamOf = (chunks: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> => {
  const iterator = chunks[Symbol.asyncIterator]()
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await iterator.next()
      if (done === true) controller.close()
      else controller.enqueue(value)
    },
    async cancel() {
      await iterator.return?.()
    },
  })
}
