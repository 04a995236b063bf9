import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ListFunctionsCommand } from '@aws-sdk/client-lambda'
import { ListBucketsCommand } from '@aws-sdk/client-s3'
import type { Cell } from '../../../src/aws/cell.ts'
import { createCellClients } from '../../../src/aws/clients.ts'
import { createPacer, type RequestPool } from '../../../src/aws/pacer.ts'
import { createRandomIds } from '../../../src/main/random-ids.ts'
import { createSystemClock } from '../../../src/main/system-clock.ts'
import { freeRates } from '../../support/aws-cell.ts'
import { setVariables } from '../../support/set-variables.ts'

export interface Asked {
  readonly method: string
  /** Path with its query. */
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** Answers one request, or breaks it off. */
export type Script = (asked: Asked, response: ServerResponse) => void | Promise<void>

export interface ScriptedEndpoint extends AsyncDisposable {
  readonly url: string
  readonly asked: Asked[]
  script: Script
}

/** An HTTP endpoint in the place of AWS, for answers that no emulator gives. */
export const startEndpoint = async (): Promise<ScriptedEndpoint> => {
  const asked: Asked[] = []
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { method = '', url = '', headers } = request
    const one = { method, url, headers, body: Buffer.concat(chunks).toString() }
    asked.push(one)
    await endpoint.script(one, response)
  }
  // No connection is closed for its rest: a client that has just taken it up again would not be answered.
  const server = createServer({ keepAliveTimeout: 0 }, (request, response) => void answer(request, response))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const endpoint: ScriptedEndpoint = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    script: (_, response) => void response.writeHead(500).end(),
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
  return endpoint
}

export interface ScriptedCell extends AsyncDisposable {
  readonly endpoint: ScriptedEndpoint
  readonly cell: Cell
  /** Turns that were taken of each pool, and refusals that it was told of. */
  readonly taken: Partial<Record<RequestPool, number>>
  readonly rejected: RequestPool[]
  readonly clock: ReturnType<typeof createSystemClock>
  readonly ids: ReturnType<typeof createRandomIds>
}

const credentials = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_EC2_METADATA_DISABLED: 'true' }

const counting = (clock: ScriptedCell['clock']) => {
  const pacer = createPacer({ clock, rates: freeRates })
  const taken: Partial<Record<RequestPool, number>> = {}
  const rejected: RequestPool[] = []
  const counted: Cell['pacer'] = {
    take: (pool, options) => {
      taken[pool] = (taken[pool] ?? 0) + 1
      return pacer.take(pool, options)
    },
    rejected: (pool) => void rejected.push(pool),
  }
  return { pacer: counted, taken, rejected }
}

/** Clients read from the environment where AWS is when they are first used; afterwards it is another cell's again. */
const settleOn = async (endpoint: ScriptedEndpoint, { lambda, invoke, s3 }: Cell['clients']): Promise<void> => {
  endpoint.script = (_, response) => void response.end('{}')
  await Promise.all([lambda, invoke].map((client) => client.send(new ListFunctionsCommand())))
  endpoint.script = (_, response) => void response.end('<ListAllMyBucketsResult/>')
  await s3.send(new ListBucketsCommand())
  endpoint.asked.splice(0)
}

/** A cell whose clients, made as the server makes them, speak to a scripted endpoint. */
export const openScriptedCell = async (functions: Partial<Cell['functions']> = {}): Promise<ScriptedCell> => {
  const endpoint = await startEndpoint()
  Object.assign(process.env, credentials)
  const where = setVariables({ AWS_ENDPOINT_URL: endpoint.url })
  const clock = createSystemClock()
  const clients = createCellClients({ region: 'eu-central-1', deployment: 'berth' })
  await settleOn(endpoint, clients)
  where[Symbol.dispose]()
  const counted = counting(clock)
  const cell: Cell = {
    name: 'scripted',
    region: 'eu-central-1',
    deployment: 'berth',
    foundation: {
      bucket: 'berth-bucket',
      repositoryUri: '000000000000.dkr.ecr.eu-central-1.amazonaws.com/berth',
      boundaryArn: 'arn:aws:iam::000000000000:policy/boundary',
      stackRoleArn: 'arn:aws:iam::000000000000:role/stack',
      wantedImageParameter: '/berth/wanted-image',
      subnetIds: [],
      securityGroupIds: [],
      noEgress: false,
    },
    functions: {
      memoryMiB: 1024,
      timeoutSeconds: 120,
      ephemeralStorageMiB: 1024,
      logRetentionDays: 30,
      reservedConcurrency: null,
      architecture: 'x86_64',
      ...functions,
    },
    clients,
    pacer: counted.pacer,
  }
  return {
    endpoint,
    cell,
    clock,
    taken: counted.taken,
    rejected: counted.rejected,
    ids: createRandomIds(clock),
    [Symbol.asyncDispose]: async () => {
      clients[Symbol.dispose]()
      await endpoint[Symbol.asyncDispose]()
    },
  }
}

/** Lambda's form of an error. */
export const lambdaError = (
  response: ServerResponse,
  { status, name, fields = {} }: { status: number; name: string; fields?: Record<string, string> },
): void => {
  response.writeHead(status, {
    'content-type': 'application/json',
    'x-amzn-errortype': name,
    'x-amzn-requestid': 'request-1',
  })
  response.end(JSON.stringify({ Type: 'User', Message: 'arn:aws:lambda:eu-central-1:000000000000 says no', ...fields }))
}

/** A function's answer, or what the platform says in its place. */
export const functionAnswer = (
  response: ServerResponse,
  { payload, error, tail }: { payload: unknown; error?: boolean; tail?: string },
): void => {
  response.writeHead(200, {
    'content-type': 'application/json',
    'x-amzn-requestid': 'request-1',
    ...(error === true ? { 'x-amz-function-error': 'Unhandled' } : {}),
    ...(tail === undefined ? {} : { 'x-amz-log-result': Buffer.from(tail).toString('base64') }),
  })
  response.end(typeof payload === 'string' ? payload : JSON.stringify(payload))
}
