import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { BerthError } from '../domain/errors.ts'
import type { FileContent } from '../domain/ports/tenant-files.ts'
import type { RequestContext } from './request-context.ts'
import { downloadHeaders } from './send.ts'

/** A reader that takes nothing for this long gives its file descriptor back. */
const STALLED_MS = 60_000

/** Streams a file or an artifact. */
export const sendContent = async (
  { request, response, signal }: RequestContext,
  content: FileContent,
  mime: string,
): Promise<void> => {
  const { entry, body } = content
  response.writeHead(200, {
    ...downloadHeaders(entry.name, mime),
    'Content-Length': entry.bytes,
    'Last-Modified': entry.modifiedAt.toUTCString(),
    ...(entry.sha256 !== null && { 'Repr-Digest': `sha-256=:${Buffer.from(entry.sha256, 'hex').toString('base64')}:` }),
  })
  const source = Readable.from(body, { objectMode: false })
  if (request.method === 'HEAD') {
    source.destroy()
    response.end()
    return
  }
  response.setTimeout(STALLED_MS, () => response.destroy())
  try {
    await pipeline(source, response, { signal })
  } catch (cause) {
    if (!signal.aborted) throw new BerthError('internal', 'The file could not be read to its end.', { cause })
  }
}
