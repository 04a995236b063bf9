import { createHash, randomUUID } from 'node:crypto'
import { CreateRepositoryCommand, ECRClient, PutImageCommand } from '@aws-sdk/client-ecr'
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
  /** Pushes an image that is the runner of this checkout; returns `<repository>@sha256:…`. The repository is made if need be. */
  image(tag: string, repository?: string): Promise<string>
  readonly standIn: StandIn
}

/** AWS on this machine, for one test file. */
export const startAwsLocal = async (options: StandInOptions = {}): Promise<AwsLocal> => {
  const standIn = await startStandIn(options)
  const { endpoint, region, credentials } = standIn
  const client = { endpoint, region, credentials }
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
    image: (tag, repository = 'berth') => pushImage(new ECRClient(client), repository, tag),
    standIn,
    [Symbol.asyncDispose]: () => standIn[Symbol.asyncDispose](),
  }
}

const pushImage = async (ecr: ECRClient, repositoryName: string, imageTag: string): Promise<string> => {
  const created = await ecr.send(new CreateRepositoryCommand({ repositoryName })).catch((error: Error) => {
    if (error.name !== 'RepositoryAlreadyExistsException') throw error
    return null
  })
  const imageManifest = JSON.stringify({ schemaVersion: 2, config: { digest: digestOf(randomUUID()) }, layers: [] })
  const pushed = await ecr.send(new PutImageCommand({ repositoryName, imageTag, imageManifest }))
  const account = created?.repository?.registryId ?? pushed.image?.registryId
  const repository = `${account}.dkr.ecr.${await ecr.config.region()}.amazonaws.com/${repositoryName}`
  ecr.destroy()
  return `${repository}@${pushed.image?.imageId?.imageDigest}`
}

const digestOf = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`
