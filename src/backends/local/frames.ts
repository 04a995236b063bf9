/**
 * The wire between server and runner: four bytes of big-endian length, then that many bytes of UTF-8 JSON.
 * On the path of every run, so: one allocation to send, none to receive a frame that came in one chunk.
 */
const HEADER_BYTES = 4

/** A reply carries at most the inline artifacts as base64, the result and the output; more is a broken runner. */
export const MAX_FRAME_BYTES = 64 * 1024 * 1024

export const encodeFrame = (message: unknown): Buffer => {
  const text = JSON.stringify(message)
  const length = Buffer.byteLength(text)
  const frame = Buffer.allocUnsafe(HEADER_BYTES + length)
  frame.writeUInt32BE(length, 0)
  frame.write(text, HEADER_BYTES, 'utf8')
  return frame
}

/** Takes chunks as they come and calls `onFrame` with the text of each whole frame. */
export interface FrameReader {
  /** @throws {RangeError} when a frame claims to be longer than `maxBytes` */
  push(chunk: Buffer): void
}

export const createFrameReader = (onFrame: (json: string) => void, maxBytes = MAX_FRAME_BYTES): FrameReader => {
  let kept: Buffer[] = []
  let keptBytes = 0
  // Bytes needed before there is anything to do: chunks of a large frame are joined once, not once per chunk.
  let neededBytes = HEADER_BYTES

  const keep = (rest: Buffer, needed: number): void => {
    kept = rest.length === 0 ? [] : [rest]
    keptBytes = rest.length
    neededBytes = needed
  }

  const drain = (bytes: Buffer): void => {
    let offset = 0
    while (bytes.length - offset >= HEADER_BYTES) {
      const length = bytes.readUInt32BE(offset)
      if (length > maxBytes) throw new RangeError(`A frame of ${length} bytes is longer than ${maxBytes}`)
      const end = offset + HEADER_BYTES + length
      if (end > bytes.length) return keep(bytes.subarray(offset), HEADER_BYTES + length)
      onFrame(bytes.toString('utf8', offset + HEADER_BYTES, end))
      offset = end
    }
    keep(bytes.subarray(offset), HEADER_BYTES)
  }

  return {
    push(chunk) {
      if (keptBytes === 0) return drain(chunk)
      kept.push(chunk)
      keptBytes += chunk.length
      if (keptBytes >= neededBytes) drain(Buffer.concat(kept, keptBytes))
    },
  }
}
