import { randomUUID } from 'node:crypto'
import {
  CreateRepositoryCommand,
  ECRClient,
  PutImageCommand,
  RepositoryAlreadyExistsException,
} from '@aws-sdk/client-ecr'
import type { ImageContent } from '../../scripts/aws-local/images.ts'
import type { Control } from '../../scripts/aws-local/control.ts'
import { type StandIn, type StandInOptions, startStandIn } from '../../scripts/aws-local/stand-in.ts'

export interface AwsLocal extends AsyncDisposable {
  /** `http://127.0.0.1:<port>` */
  readonly endpoint: string
  readonly region: string
  /** Of the account's root, whom nothing is denied. A test of a policy takes a role or user of its own. */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
  /** Configuration for any SDK client. */
  readonly client: { endpoint: string; region: string; credentials: AwsLocal['credentials'] }
  /** Variables for child processes. */
  readonly env: Readonly<Record<string, string>>
  /**
   * Pushes an image, the runner of this checkout unless `content` says otherwise; returns `<repository>@sha256:…`. The repository
   * is made if need be.
   */
  image(tag: string, content?: ImageContent, repository?: string): Promise<string>
  /** Delays, limits, faults, states. */
  readonly control: Control
  readonly standIn: StandIn
}

/** AWS on this machine, for one test file. */
export const startAwsLocal = async (options: StandInOptions = {}): Promise<AwsLocal> => {
  const standIn = await startStandIn(options)
  const { endpoint, region, credentials } = standIn
  const client = { endpoint, region, credentials }
  const ecr = new ECRClient(client)
  return {
    endpoint,
    region,
    credentials,
    client,
    env: {
      AWS_ENDPOINT_URL: endpoint,
      AWS_REGION: region,
      AWS_DEFAULT_REGION: region,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_EC2_METADATA_DISABLED: 'true',
    },
    async image(tag, content = { kind: 'runner' }, repository = 'berth') {
      const uri = await pushImage(ecr, repository, tag)
      await standIn.images.register(uri.split('@').at(-1) ?? '', content)
      return uri
    },
    control: standIn.control,
    standIn,
    async [Symbol.asyncDispose]() {
      ecr.destroy()
      await standIn[Symbol.asyncDispose]()
    },
  }
}

const pushImage = async (ecr: ECRClient, repositoryName: string, imageTag: string): Promise<string> => {
  try {
    await ecr.send(new CreateRepositoryCommand({ repositoryName }))
  } catch (error) {
    if (!(error instanceof RepositoryAlreadyExistsException)) throw error
  }
  const imageManifest = JSON.stringify({ schemaVersion: 2, config: { digest: `sha256:${randomUUID()}` }, layers: [] })
  const { image } = await ecr.send(new PutImageCommand({ repositoryName, imageTag, imageManifest }))
  const registry = `${image?.registryId}.dkr.ecr.${await ecr.config.region()}.amazonaws.com`
  return `${registry}/${repositoryName}@${image?.imageId?.imageDigest}`
}
