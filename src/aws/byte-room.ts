/** Room for bytes that are held in memory. Who finds none waits, in the order of coming. */
export interface ByteRoom {
  /** @returns gives the room back, once. @throws the signal's reason */
  take(bytes: number, signal: AbortSignal): Promise<() => void>
}

interface Waiting {
  readonly bytes: number
  readonly enter: () => void
}

export const createByteRoom = (most: number): ByteRoom => {
  let held = 0
  const row = new Set<Waiting>()

  // What is larger than all the room enters when nobody else is there.
  const hasRoom = (bytes: number): boolean => held === 0 || held + bytes <= most

  const release = (bytes: number): void => {
    held -= bytes
    for (const waiting of row) {
      if (!hasRoom(waiting.bytes)) return
      row.delete(waiting)
      held += waiting.bytes
      waiting.enter()
    }
  }

  const queue = (bytes: number, signal: AbortSignal): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const leave = (): void => {
      row.delete(waiting)
      reject(signal.reason as Error)
      // Who came behind may be small enough.
      release(0)
    }
    const enter = (): void => {
      signal.removeEventListener('abort', leave)
      resolve()
    }
    const waiting = { bytes, enter }
    row.add(waiting)
    signal.addEventListener('abort', leave, { once: true })
    return promise
  }

  return {
    async take(bytes, signal) {
      signal.throwIfAborted()
      if (row.size === 0 && hasRoom(bytes)) held += bytes
      else await queue(bytes, signal)
      return () => release(bytes)
    },
  }
}
