export interface ServerSentEvent {
  /** The last id the stream has named; empty before the first. */
  readonly id: string
  readonly event: string
  readonly data: string
}

export interface EventStreamOptions {
  /** Called for each `retry:` field, in milliseconds. */
  readonly onRetry?: (ms: number) => void
}

interface Draft {
  event: string
  data: string[]
}

/**
 * Parses `text/event-stream` however its bytes are cut into chunks: inside a line, a CRLF or a character of UTF-8.
 * An event that the stream does not finish with an empty line is dropped, as the standard wants it.
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
export const parseEventStream = async function* (
  body: AsyncIterable<Uint8Array>,
  options: EventStreamOptions = {},
): AsyncGenerator<ServerSentEvent> {
  let draft: Draft = { event: '', data: [] }
  let id = ''
  for await (const line of linesOf(body)) {
    if (line === '') {
      if (draft.data.length > 0) yield { id, event: draft.event || 'message', data: draft.data.join('\n') }
      draft = { event: '', data: [] }
      continue
    }
    const { field, value } = fieldOf(line)
    if (field === 'event') draft.event = value
    if (field === 'data') draft.data.push(value)
    if (field === 'id' && !value.includes('\0')) id = value
    if (field === 'retry' && /^\d+$/.test(value)) options.onRetry?.(Number(value))
  }
}

const fieldOf = (line: string): { field: string; value: string } => {
  const colon = line.indexOf(':')
  if (colon === -1) return { field: line, value: '' }
  const start = line[colon + 1] === ' ' ? colon + 2 : colon + 1
  return { field: line.slice(0, colon), value: line.slice(start) }
}

/**
 * Lines end in LF, CR or CRLF; what follows the last end is not a line. The decoder drops a byte order mark.
 * Only new text is searched, so that one line of many megabytes costs no more than its length.
 */
const linesOf = async function* (body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let pieces: string[] = []
  // A CR at the end of a chunk may be half of a CRLF: it waits for the next chunk.
  let heldReturn = ''
  for await (const bytes of body) {
    const text = heldReturn + decoder.decode(bytes, { stream: true })
    heldReturn = text.endsWith('\r') ? '\r' : ''
    const [first = '', ...others] = text.slice(0, text.length - heldReturn.length).split(/\r\n|\r|\n/)
    pieces.push(first)
    const last = others.pop()
    if (last === undefined) continue
    yield pieces.join('')
    yield* others
    pieces = [last]
  }
  if (heldReturn !== '') yield pieces.join('')
}
