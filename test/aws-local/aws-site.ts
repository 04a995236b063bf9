import { randomUUID } from 'node:crypto'
import {
  CloudFormationClient,
  CreateStackCommand,
  DeleteStackCommand,
  DescribeStackEventsCommand,
  DescribeStacksCommand,
  type CreateStackCommandInput,
} from '@aws-sdk/client-cloudformation'
import { CreateRoleCommand, type CreateRoleCommandInput, IAMClient } from '@aws-sdk/client-iam'
import { CreateFunctionCommand, InvokeCommand, type InvokeCommandInput, LambdaClient } from '@aws-sdk/client-lambda'
import { S3Client } from '@aws-sdk/client-s3'
import { setTimeout as delay } from 'node:timers/promises'
import type { Part } from '../../scripts/aws-local/control.ts'
import { ECHO_IMAGE } from '../../scripts/aws-local/bad-images.ts'
import type { ImageContent } from '../../scripts/aws-local/images.ts'
import type { StandInOptions } from '../../scripts/aws-local/stand-in.ts'
import { type AwsLocal, startAwsLocal } from '../support/aws-local.ts'

export const TRUST_LAMBDA = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' }],
}

export interface Invoked {
  readonly functionError: string | undefined
  // A test says what it expects of the answer; the compiler need not.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly json: any
  readonly logs: string
  readonly version: string | undefined
}

export interface AwsSite extends AsyncDisposable {
  readonly aws: AwsLocal
  readonly cloudFormation: CloudFormationClient
  readonly iam: IAMClient
  readonly lambda: LambdaClient
  readonly s3: S3Client
  /** Starts a stack and returns at once. */
  create(name: string, resources: object, more?: Partial<CreateStackCommandInput>): Promise<string>
  /** Its status; null when there is none of the name. */
  status(name: string): Promise<string | null>
  /** Waits until nothing is under way with the stack. */
  settled(name: string): Promise<string | null>
  /** Why resources of the stack failed. */
  reasons(stackId: string): Promise<string>
  /** A function with a role of its own, by the API. */
  makeFunction(content?: ImageContent, more?: object): Promise<string>
  invoke(name: string, event?: unknown, more?: Partial<InvokeCommandInput>): Promise<Invoked>
}

/** A state is awaited, however busy the machine is. */
export const PATIENTLY = { timeout: 120_000, interval: 10 }

export const uniqueName = (): string => `t-${randomUUID().slice(0, 13)}`

const NO_RETRY = { maxAttempts: 1 }

export const openSite = async (options?: StandInOptions): Promise<AwsSite> => {
  const aws = await startAwsLocal(options)
  const cloudFormation = new CloudFormationClient({ ...aws.client, ...NO_RETRY })
  const lambda = new LambdaClient({ ...aws.client, ...NO_RETRY })
  const site: AwsSite = {
    aws,
    cloudFormation,
    iam: new IAMClient({ ...aws.client, ...NO_RETRY }),
    lambda,
    s3: new S3Client({ ...aws.client, ...NO_RETRY }),
    async create(name, resources, more = {}) {
      const { StackId } = await cloudFormation.send(
        new CreateStackCommand({
          StackName: name,
          TemplateBody: JSON.stringify({ Resources: resources }),
          Capabilities: ['CAPABILITY_NAMED_IAM'],
          ...more,
        }),
      )
      return StackId ?? ''
    },
    status: (name) => statusOf(cloudFormation, name),
    async settled(name) {
      for (;;) {
        const status = await statusOf(cloudFormation, name)
        if (status?.endsWith('_IN_PROGRESS') !== true) return status
        await delay(5)
      }
    },
    async reasons(stackId) {
      const { StackEvents = [] } = await cloudFormation.send(new DescribeStackEventsCommand({ StackName: stackId }))
      const failed = StackEvents.filter((event) => event.ResourceStatus?.endsWith('_FAILED'))
      return failed.map((event) => `${event.LogicalResourceId}: ${event.ResourceStatusReason}`).join('\n')
    },
    async makeFunction(content = ECHO_IMAGE, more = {}) {
      const name = uniqueName()
      const { Role } = await createRole(site.iam, name)
      await lambda.send(
        new CreateFunctionCommand({
          FunctionName: name,
          PackageType: 'Image',
          Code: { ImageUri: await aws.image(name, content) },
          Role: Role?.Arn,
          Timeout: 60,
          ...more,
        }),
      )
      return name
    },
    async invoke(name, event = {}, more = {}) {
      const answer = await lambda.send(
        new InvokeCommand({
          FunctionName: name,
          Payload: Buffer.from(JSON.stringify(event)),
          LogType: 'Tail',
          ...more,
        }),
      )
      return {
        functionError: answer.FunctionError,
        json: JSON.parse(answer.Payload?.transformToString() ?? 'null'),
        logs: Buffer.from(answer.LogResult ?? '', 'base64').toString(),
        version: answer.ExecutedVersion,
      }
    },
    async [Symbol.asyncDispose]() {
      for (const client of [cloudFormation, lambda, site.iam, site.s3]) client.destroy()
      await aws[Symbol.asyncDispose]()
    },
  }
  return site
}

export const createRole = (iam: IAMClient, name: string, more: Partial<CreateRoleCommandInput> = {}) =>
  iam.send(new CreateRoleCommand({ RoleName: name, AssumeRolePolicyDocument: JSON.stringify(TRUST_LAMBDA), ...more }))

const statusOf = async (client: CloudFormationClient, name: string): Promise<string | null> => {
  try {
    const { Stacks = [] } = await client.send(new DescribeStacksCommand({ StackName: name }))
    return Stacks[0]?.StackStatus ?? null
  } catch (error) {
    if (error instanceof Error && error.message.includes('does not exist')) return null
    throw error
  }
}

export const deleteStack = async (site: AwsSite, name: string): Promise<void> => {
  await site.cloudFormation.send(new DeleteStackCommand({ StackName: name }))
}

/** Does it once as AWS does and once with these parts of ours off; what both did, in this order. */
export const onAndOff = async <T>(site: AwsSite, off: readonly Part[], act: () => Promise<T>): Promise<[T, T]> => {
  const on = await act()
  await site.aws.control.set({ off })
  try {
    return [on, await act()]
  } finally {
    await site.aws.control.set({ off: [] })
  }
}

/** The name of the error, or `none`. */
export const errorOf = async (act: Promise<unknown>): Promise<string> => {
  try {
    await act
    return 'none'
  } catch (error) {
    return error instanceof Error ? error.name : String(error)
  }
}
