/**
 * The same chunks, but waiting for the next one ends when the signal is aborted. The source is told to stop and not waited
 * for: a stalled generator can't answer.
 */
export async function* untilAborted<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  signal.throwIfAborted()
  const chunks = source[Symbol.asyncIterator]()
  const aborted = Promise.withResolvers<never>()
  const abort = () => aborted.reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  let done = false
  try {
    for (;;) {
      const step = await Promise.race([chunks.next(), aborted.promise])
      if (step.done === true) {
        done = true
        return
      }
      yield step.value
    }
  } finally {
    signal.removeEventListener('abort', abort)
    // Its own failure while it stops says nothing about the chunks that were taken.
    if (!done) void chunks.return?.().catch(() => {})
  }
}
