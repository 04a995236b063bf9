// Frames over pipes: four bytes of length, then JSON in UTF-8. All synchronous: nothing is lost when the process ends.
import { closeSync, readSync, writeSync } from 'node:fs'

const { parse, stringify } = JSON

const readExactly = (fd, size) => {
  const buffer = Buffer.allocUnsafe(size)
  let filled = 0
  while (filled < size) {
    const count = readSync(fd, buffer, filled, size - filled, null)
    if (count === 0) return null
    filled += count
  }
  return buffer
}

/** Wait for one frame and close the pipe; null when it closes first. */
export const readFrame = (fd) => {
  const head = readExactly(fd, 4)
  const body = head && readExactly(fd, head.readUInt32BE(0))
  closeSync(fd)
  return body && parse(body.toString('utf8'))
}

/** Write one frame and close the pipe at once: EOF would otherwise wait until the memory is torn down. */
export const sendFrame = (fd, frame) => {
  const body = Buffer.from(stringify(frame), 'utf8')
  const head = Buffer.allocUnsafe(4)
  head.writeUInt32BE(body.length)
  const whole = Buffer.concat([head, body])
  try {
    for (let sent = 0; sent < whole.length;) sent += writeSync(fd, whole, sent)
    closeSync(fd)
  } catch {
    // The code may have closed the pipe; the supervisor then sees no frame and says so.
  }
}

/** Bytes of UTF-8 of the JSON: what the limits count. */
export const jsonBytes = (value) => Buffer.byteLength(stringify(value), 'utf8')

/** Keep head and tail of a text that is too long, with a mark that says how much is missing. */
export const shorten = (text, limit) => {
  const whole = text.toWellFormed()
  if (whole.length <= limit) return whole
  const head = Math.floor((limit * 2) / 3)
  const tail = whole.slice(whole.length - (limit - head))
  const mark = `\n… ${whole.length - limit} of ${whole.length} characters left out …\n`
  return (whole.slice(0, head) + mark + tail).toWellFormed()
}
