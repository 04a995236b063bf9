// stdout and stderr that are written before the call returns: Node's own pipes keep up to a pipe's worth back, and lose it
// when the code calls process.exit().
import { writeSync } from 'node:fs'
import { Writable } from 'node:stream'

const RETRY_MS = 1
const clock = new Int32Array(new SharedArrayBuffer(4))

const writeAll = (fd, chunk) => {
  for (let sent = 0; sent < chunk.length;) {
    try {
      sent += writeSync(fd, chunk, sent)
    } catch (error) {
      // A process that the code started may have made the shared pipe non-blocking.
      if (error.code !== 'EAGAIN') throw error
      Atomics.wait(clock, 0, 0, RETRY_MS)
    }
  }
}

const createStream = (fd) => {
  const write = (chunk, _encoding, done) => {
    try {
      writeAll(fd, chunk)
      done()
    } catch (error) {
      done(error)
    }
  }
  const stream = new Writable({ write, emitClose: false })
  // As with Node's own: a stream that nobody reads any more is no reason to end.
  stream.on('error', () => {})
  return Object.assign(stream, { fd })
}

export const useSynchronousStreams = () => {
  for (const [name, fd] of [
    ['stdout', 1],
    ['stderr', 2],
  ])
    Object.defineProperty(process, name, { value: createStream(fd), configurable: true, enumerable: true })
}
