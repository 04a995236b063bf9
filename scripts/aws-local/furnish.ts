import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  CloudFormationClient,
  CreateStackCommand,
  DescribeStackEventsCommand,
  DescribeStacksCommand,
} from '@aws-sdk/client-cloudformation'
import { ECRClient, PutImageCommand } from '@aws-sdk/client-ecr'
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import { setTimeout as delay } from 'node:timers/promises'
import { RUNNER_IMAGE } from './paths.ts'
import type { StandIn } from './stand-in.ts'

const LOOK_AGAIN_MS = 50

export interface CellOfStandIn {
  readonly name: string
  readonly region: string
  readonly deployment: string
}

/** Deploys the foundation, pushes the runner image and makes it the wanted one, as `berth init` and a first rollout would. */
export const furnish = async (options: {
  readonly standIn: StandIn
  readonly deployment: string
  readonly template: string | null
  readonly say: (text: string) => void
}): Promise<CellOfStandIn> => {
  const { standIn, deployment, template, say } = options
  const cell = { name: 'local', region: standIn.region, deployment }
  if (template === null) {
    say('there is no templates/foundation.yaml, so the account stays empty')
    return cell
  }
  const client = { endpoint: standIn.endpoint, region: standIn.region, credentials: standIn.credentials }
  say(`deploying templates/foundation.yaml as the stack ${deployment}-foundation`)
  const outputs = await deploy(new CloudFormationClient(client), `${deployment}-foundation`, template, deployment)
  say('pushing the runner image')
  const version = Number(readFileSync(join(RUNNER_IMAGE, 'VERSION'), 'utf8'))
  const image = await push(new ECRClient(client), outputs['RepositoryUri'] ?? '', version)
  const wanted = { image, version, fence: version }
  const Name = outputs['WantedImageParameter'] ?? `/${deployment}/wanted-image`
  await new SSMClient(client).send(
    new PutParameterCommand({ Name, Value: JSON.stringify(wanted), Type: 'String', Overwrite: true }),
  )
  say(`the wanted image is ${image}`)
  return cell
}

const deploy = async (
  client: CloudFormationClient,
  StackName: string,
  TemplateBody: string,
  deployment: string,
): Promise<Record<string, string>> => {
  const Parameters = [{ ParameterKey: 'Deployment', ParameterValue: deployment }]
  await client.send(
    new CreateStackCommand({ StackName, TemplateBody, Parameters, Capabilities: ['CAPABILITY_NAMED_IAM'] }),
  )
  for (;;) {
    const { Stacks = [] } = await client.send(new DescribeStacksCommand({ StackName }))
    const [stack] = Stacks
    if (stack?.StackStatus === 'CREATE_COMPLETE') {
      return Object.fromEntries((stack.Outputs ?? []).map(({ OutputKey, OutputValue }) => [OutputKey, OutputValue]))
    }
    if (stack?.StackStatus?.endsWith('_IN_PROGRESS') !== true) throw new Error(await whyFailed(client, StackName))
    await delay(LOOK_AGAIN_MS)
  }
}

const whyFailed = async (client: CloudFormationClient, StackName: string): Promise<string> => {
  const { StackEvents = [] } = await client.send(new DescribeStackEventsCommand({ StackName }))
  const reasons = StackEvents.filter(({ ResourceStatus }) => ResourceStatus?.endsWith('_FAILED')).map(
    ({ LogicalResourceId, ResourceStatusReason }) => `${LogicalResourceId}: ${ResourceStatusReason}`,
  )
  return `the stack ${StackName} failed: ${reasons.join('; ')}`
}

/** A manifest without layers: the digest stands for the folder runner-image/ of this checkout. */
const push = async (client: ECRClient, repository: string, version: number): Promise<string> => {
  const digest = `sha256:${createHash('sha256').update(`runner ${version}`).digest('hex')}`
  const imageManifest = JSON.stringify({ schemaVersion: 2, config: { digest }, layers: [] })
  const repositoryName = repository.slice(repository.indexOf('/') + 1)
  const { image } = await client.send(new PutImageCommand({ repositoryName, imageTag: `v${version}`, imageManifest }))
  return `${repository}@${image?.imageId?.imageDigest}`
}
