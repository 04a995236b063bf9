import { once } from 'node:events'
import { type Socket, connect } from 'node:net'

export interface JsonRequest {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export interface JsonAnswer {
  readonly status: number
  readonly body: unknown
}

export interface JsonClient {
  (request: JsonRequest): Promise<JsonAnswer>
  close(): void
}

const HEAD_END = Buffer.from('\r\n\r\n')

/** Null while the answer is not whole. The server sends a Content-Length with everything that is asked for here. */
const parseAnswer = (bytes: Buffer): JsonAnswer | null => {
  const headBytes = bytes.indexOf(HEAD_END)
  if (headBytes < 0) return null
  const head = bytes.toString('latin1', 0, headBytes)
  const length = /^content-length: *(\d+)/im.exec(head)?.[1]
  if (length === undefined) throw new Error(`The answer has no Content-Length: ${head}`)
  const from = headBytes + HEAD_END.length
  const to = from + Number(length)
  if (bytes.length < to) return null
  const body: unknown = length === '0' ? null : JSON.parse(bytes.toString('utf8', from, to))
  return { status: Number(head.split(' ', 2)[1]), body }
}

const readAnswer = async (socket: Socket): Promise<JsonAnswer> => {
  const { promise, resolve, reject } = Promise.withResolvers<JsonAnswer>()
  let bytes: Buffer = Buffer.alloc(0)
  const take = (chunk: Buffer) => {
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk])
    try {
      const answer = parseAnswer(bytes)
      if (answer !== null) resolve(answer)
    } catch (error) {
      reject(error)
    }
  }
  const broken = (error?: Error) => reject(error ?? new Error('The server closed the connection'))
  socket.on('data', take).once('error', broken).once('close', broken)
  try {
    return await promise
  } finally {
    socket.off('data', take).off('error', broken).off('close', broken)
  }
}

const format = ({ method, path, headers = {}, body = '' }: JsonRequest): string => {
  const length = body === '' ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) }
  const lines = Object.entries({ Host: 'bench', ...headers, ...length }).map(([name, value]) => `${name}: ${value}`)
  return `${[`${method} ${path} HTTP/1.1`, ...lines].join('\r\n')}\r\n\r\n${body}`
}

const openSocket = async (port: number): Promise<Socket> => {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  // A connection that breaks while it is idle is noticed when it is taken out again.
  return socket.on('error', () => {})
}

/** Just enough HTTP over kept connections: the time of a full client would be taken for the server's. */
export const createJsonClient = (port: number): JsonClient => {
  const idle: Socket[] = []
  const send = async (request: JsonRequest): Promise<JsonAnswer> => {
    const kept = idle.pop()
    const socket = kept === undefined || kept.destroyed ? await openSocket(port) : kept
    socket.write(format(request))
    const answer = await readAnswer(socket)
    idle.push(socket)
    return answer
  }
  const close = () => {
    for (const socket of idle) socket.destroy()
  }
  return Object.assign(send, { close })
}
