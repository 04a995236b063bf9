import type { CloudFormationClient } from '@aws-sdk/client-cloudformation'
import type { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs'
import type { IAMClient } from '@aws-sdk/client-iam'
import type { LambdaClient } from '@aws-sdk/client-lambda'
import type { S3Client } from '@aws-sdk/client-s3'
import type { ServiceQuotasClient } from '@aws-sdk/client-service-quotas'
import type { SSMClient } from '@aws-sdk/client-ssm'
import type { STSClient } from '@aws-sdk/client-sts'
import type { InvokeFunction } from './invoke-function.ts'
import type { Pacer } from './pacer.ts'

/** What `templates/foundation.yaml` made in the cell: the outputs of its stack. */
export interface Foundation {
  readonly bucket: string
  readonly repositoryUri: string
  readonly boundaryArn: string
  /** The role that CloudFormation works with on berths' stacks. */
  readonly stackRoleArn: string
  /** Name of the SSM parameter with the wanted image. */
  readonly wantedImageParameter: string
  /** Empty without a VPC. */
  readonly subnetIds: readonly string[]
  readonly securityGroupIds: readonly string[]
  /** True when functions stand in a VPC that leads nowhere; the self-test then insists on it. */
  readonly noEgress: boolean
  /** Age at which S3 itself deletes what runs wrote; null where an older template made the foundation. */
  readonly runRetentionDays?: number | null
}

/** How functions of berths are made; parameters of `templates/tenant.yaml`. */
export interface FunctionSettings {
  readonly memoryMiB: number
  readonly timeoutSeconds: number
  readonly ephemeralStorageMiB: number
  readonly logRetentionDays: number
  /** Null leaves the function in the account's common pool. */
  readonly reservedConcurrency: number | null
  readonly architecture: 'x86_64' | 'arm64'
}

/** As the parameters of `templates/tenant.yaml` have them by default. */
export const defaultFunctionSettings: FunctionSettings = {
  memoryMiB: 1024,
  timeoutSeconds: 120,
  ephemeralStorageMiB: 1024,
  logRetentionDays: 30,
  reservedConcurrency: null,
  architecture: 'x86_64',
}

export interface CellClients {
  readonly cloudFormation: CloudFormationClient
  readonly iam: IAMClient
  /** Lambda's control plane. */
  readonly lambda: LambdaClient
  /** Invoke alone: no retries, for what may have started is never sent twice; a keep-alive pool sized for load. */
  readonly invoke: LambdaClient
  /** The one way to run code in a berth; over the connections of `invoke`. */
  readonly invokeFunction: InvokeFunction
  readonly logs: CloudWatchLogsClient
  readonly s3: S3Client
  readonly serviceQuotas: ServiceQuotasClient
  readonly ssm: SSMClient
  readonly sts: STSClient
}

/** One AWS account and Region with one deployment of Berth. */
export interface Cell {
  /** As rows and logs show it. */
  readonly name: string
  readonly region: string
  /** First part of every name that Berth makes there, so that two deployments can share an account. */
  readonly deployment: string
  readonly foundation: Foundation
  readonly functions: FunctionSettings
  readonly clients: CellClients
  readonly pacer: Pacer
}
