import type { IncomingMessage } from 'node:http'
import { InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda'
import { BerthError } from '../domain/errors.ts'
import type { ByteRoom } from './byte-room.ts'

export interface FunctionCall {
  readonly functionName: string
  readonly tenantId?: string | undefined
  readonly event: unknown
  readonly signal: AbortSignal
}

export interface FunctionReply {
  readonly payload: Buffer
  /** Set when the platform answered in the function's place. */
  readonly functionError: string | undefined
  /** The end of its log, in Base64. */
  readonly logResult: string | undefined
  readonly requestId: string | undefined
}

/**
 * Invokes a function once, and has its reply read by `read`; until that returns, the reply's bytes are counted as held.
 * @throws an error as the SDK throws it: `name`, `message`, `Reason`, `$metadata`; malformed_reply; what `read` throws
 */
export type InvokeFunction = <T>(call: FunctionCall, read: (reply: FunctionReply) => T) => Promise<T>

/** Lambda's own limit is 6 MiB. @see https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html checked 2026-11-22 */
const MAX_REPLY_BYTES = 6 * 1024 * 1024 + 64 * 1024
/** AWS takes signatures of five minutes ago. */
const SKEW_MS = 4 * 60_000

type RequestSigner = Awaited<ReturnType<LambdaClient['config']['signer']>>

interface Address {
  readonly protocol: string
  readonly hostname: string
  readonly port?: number
}

interface HttpAnswer {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: IncomingMessage
}

/** Where the SDK would send it: it knows Regions, partitions and what environment and profile say. */
const addressOf = async (client: LambdaClient): Promise<Address> => {
  const stack = client.middlewareStack.clone()
  const { promise, resolve } = Promise.withResolvers<Address>()
  stack.add(
    () => async (args) => {
      const { protocol, hostname, port } = args.request as Address
      resolve({ protocol, hostname, ...(port !== undefined && { port }) })
      return { response: null, output: { $metadata: {} } }
    },
    { step: 'build', priority: 'high' },
  )
  await new InvokeCommand({ FunctionName: 'any' }).resolveMiddleware(
    stack,
    client.config,
    {},
  )({
    input: { FunctionName: 'any' },
  })
  return promise
}

/** Heard from the first moment: a connection may break while its reply waits for room. */
const endOf = (body: IncomingMessage): Promise<void> => {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  body.once('end', resolve).once('error', reject)
  promise.catch(() => undefined)
  return promise
}

const collect = async (body: IncomingMessage, ended: Promise<void>): Promise<Buffer> => {
  const chunks: Buffer[] = []
  let bytes = 0
  body.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > MAX_REPLY_BYTES) body.destroy(tooLarge())
    else chunks.push(chunk)
  })
  await ended
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)
}

const tooLarge = (): BerthError =>
  new BerthError('malformed_reply', `expected a reply of at most ${MAX_REPLY_BYTES} bytes, got more`)

const fieldsOf = (body: Buffer): Readonly<Record<string, unknown>> => {
  try {
    const parsed: unknown = JSON.parse(body.toString())
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : {}
  } catch {
    return {}
  }
}

/** `Name:https://…` in the header; `namespace#Name` in the body. */
const nameIn = (text: unknown): string | undefined =>
  typeof text === 'string' ? text.split(':')[0]?.split('#').at(-1) : undefined

const failureOf = ({ statusCode, headers }: HttpAnswer, body: Buffer): Error => {
  const fields = fieldsOf(body)
  const { message = fields['Message'], code = fields['__type'], Reason } = fields
  const failure = new Error(typeof message === 'string' ? message : `Lambda answered with status ${statusCode}`)
  failure.name = nameIn(headers['x-amzn-errortype']) ?? nameIn(code) ?? 'Unknown'
  const $metadata = { httpStatusCode: statusCode, requestId: headers['x-amzn-requestid'] }
  return Object.assign(failure, { Reason, $metadata })
}

const pathOf = (functionName: string): string => `/2015-03-31/functions/${encodeURIComponent(functionName)}/invocations`

const hostOf = ({ hostname, port }: Address): string => (port === undefined ? hostname : `${hostname}:${port}`)

const headersOf = (address: Address, { tenantId }: FunctionCall): Readonly<Record<string, string>> => ({
  host: hostOf(address),
  'content-type': 'application/octet-stream',
  'user-agent': 'berth',
  'x-amz-invocation-type': 'RequestResponse',
  'x-amz-log-type': 'Tail',
  ...(tenantId === undefined ? {} : { 'x-amz-tenant-id': tenantId }),
})

/** How far AWS's clock is from this machine's, when a signature would be refused for it. */
const skewOf = (headers: HttpAnswer['headers']): number | null => {
  const skewMs = Date.parse(headers['date'] ?? '') - Date.now()
  return Math.abs(skewMs) > SKEW_MS ? skewMs : null
}

/**
 * Invoke without the SDK's middleware, which took half of the processor time of a run. Address, signature and connections are those of `client`;
 * nothing is sent twice.
 */
export const createInvokeFunction = (client: LambdaClient, room: ByteRoom): InvokeFunction => {
  let opened: { readonly address: Address; readonly signer: RequestSigner } | null = null
  let skewMs = 0

  const open = async () => {
    opened = { address: await addressOf(client), signer: await client.config.signer() }
    return opened
  }

  const send = async (call: FunctionCall): Promise<HttpAnswer> => {
    const { address, signer } = opened ?? (await open())
    const body = Buffer.from(JSON.stringify(call.event))
    const headers = { ...headersOf(address, call), 'content-length': String(body.length) }
    const request = { ...address, method: 'POST', path: pathOf(call.functionName), query: {}, headers, body }
    const signed = await signer.sign(request, { signingDate: new Date(Date.now() + skewMs) })
    const { response } = await client.config.requestHandler.handle(signed as never, { abortSignal: call.signal })
    return response as HttpAnswer
  }

  return async (call, read) => {
    const answer = await send(call)
    const { statusCode, headers, body } = answer
    const ended = endOf(body)
    const told = Number(headers['content-length'] ?? MAX_REPLY_BYTES)
    const release = await room.take(Math.min(told, MAX_REPLY_BYTES), call.signal)
    try {
      const payload = await collect(body, ended)
      if (statusCode >= 300) {
        skewMs = skewOf(headers) ?? skewMs
        throw failureOf(answer, payload)
      }
      return read({
        payload,
        functionError: headers['x-amz-function-error'],
        logResult: headers['x-amz-log-result'],
        requestId: headers['x-amzn-requestid'],
      })
    } finally {
      release()
    }
  }
}
