import { totalmem } from 'node:os'
import { CloudFormationClient } from '@aws-sdk/client-cloudformation'
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs'
import { IAMClient } from '@aws-sdk/client-iam'
import { LambdaClient } from '@aws-sdk/client-lambda'
import { S3Client } from '@aws-sdk/client-s3'
import { ServiceQuotasClient } from '@aws-sdk/client-service-quotas'
import { SSMClient } from '@aws-sdk/client-ssm'
import { STSClient } from '@aws-sdk/client-sts'
import { fromTemporaryCredentials } from '@aws-sdk/credential-providers'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { createByteRoom } from './byte-room.ts'
import type { CellClients } from './cell.ts'
import { createInvokeFunction } from './invoke-function.ts'

export interface ClientOptions {
  readonly region: string
  readonly deployment: string
  /** Role of another account to work as; without it the server's own credentials are used. */
  readonly roleArn?: string | undefined
  readonly externalId?: string | undefined
  /** Connections to Lambda's data plane that are kept open. @default 512 */
  readonly invokeConnections?: number | undefined
}

/** A connection that is not made within this time will not be made. */
const CONNECT_MS = 3000
/** Control plane answers come within seconds; a request without one is repeated. */
const CONTROL_ANSWER_MS = 30_000
/** A part of 8 MiB arrives in that time over 0.6 Mbit/s. */
const OBJECT_ANSWER_MS = 120_000
const CONTROL_CONNECTIONS = 64
const INVOKE_CONNECTIONS = 512

const MIB = 1024 * 1024

/**
 * Bytes of replies in memory at once: parsed they take several times as much. The others stay with Lambda until there is room; 512 replies
 * of 6 MiB would be 3 GiB.
 */
const replyBytes = (): number => {
  const limit = process.constrainedMemory()
  const memory = limit > 0 ? Math.min(limit, totalmem()) : totalmem()
  return Math.min(Math.max(memory / 16, 32 * MIB), 512 * MIB)
}

const handler = (maxSockets: number, requestTimeout: number) =>
  new NodeHttpHandler({
    connectionTimeout: CONNECT_MS,
    requestTimeout,
    throwOnRequestTimeout: true,
    httpAgent: { keepAlive: true, maxSockets },
    httpsAgent: { keepAlive: true, maxSockets },
  })

/** Clients of one cell. `[Symbol.dispose]` closes their connections. */
export const createCellClients = (options: ClientOptions): CellClients & Disposable => {
  const shared = { region: options.region, ...credentialsOf(options) }
  // One try each: `pacedCall` repeats, so that every request is counted in its pool.
  const paced = { ...shared, maxAttempts: 1, requestHandler: handler(CONTROL_CONNECTIONS, CONTROL_ANSWER_MS) }
  const unpaced = { ...shared, maxAttempts: 4, requestHandler: handler(CONTROL_CONNECTIONS, CONTROL_ANSWER_MS) }
  const clients = {
    cloudFormation: new CloudFormationClient(paced),
    iam: new IAMClient(paced),
    lambda: new LambdaClient(paced),
    logs: new CloudWatchLogsClient(paced),
    // What may have started is never sent twice. The dispatcher's deadline ends a wait, not the socket's.
    invoke: new LambdaClient({
      ...shared,
      maxAttempts: 1,
      requestHandler: handler(options.invokeConnections ?? INVOKE_CONNECTIONS, 0),
    }),
    s3: new S3Client({ ...unpaced, requestHandler: handler(INVOKE_CONNECTIONS, OBJECT_ANSWER_MS) }),
    serviceQuotas: new ServiceQuotasClient(unpaced),
    ssm: new SSMClient(unpaced),
    sts: new STSClient(unpaced),
  }
  const dispose = (): void => {
    for (const client of Object.values(clients)) client.destroy()
  }
  const invokeFunction = createInvokeFunction(clients.invoke, createByteRoom(replyBytes()))
  return { ...clients, invokeFunction, [Symbol.dispose]: dispose }
}

const credentialsOf = ({ region, roleArn, externalId, deployment }: ClientOptions) => {
  if (roleArn === undefined) return {}
  const params = {
    RoleArn: roleArn,
    RoleSessionName: `${deployment}-server`,
    ...(externalId === undefined ? {} : { ExternalId: externalId }),
  }
  return { credentials: fromTemporaryCredentials({ params, clientConfig: { region } }) }
}
