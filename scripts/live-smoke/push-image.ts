import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import {
  BatchGetImageCommand,
  CompleteLayerUploadCommand,
  type ECRClient,
  GetAuthorizationTokenCommand,
  GetDownloadUrlForLayerCommand,
  type ImageIdentifier,
  InitiateLayerUploadCommand,
  PutImageCommand,
  UploadLayerPartCommand,
} from '@aws-sdk/client-ecr'
import { z } from 'zod'

const run = promisify(execFile)
const context = join(import.meta.dirname, '../../runner-image')
/** ECR wants parts of at least 5 MiB, all but the last; at most 10. */
const PART_BYTES = 10 * 1024 * 1024

const manifestSchema = z.object({
  config: z.object({ digest: z.string() }).optional(),
  layers: z.array(z.object({ digest: z.string() })).default([]),
})

/** `<account>.dkr.ecr.<region>.amazonaws.com/<name>` */
const nameOf = (repository: string): string => repository.slice(repository.indexOf('/') + 1)

interface Manifest {
  readonly text: string
  readonly mediaType: string | undefined
}

const readManifest = async (ecr: ECRClient, repository: string, imageId: ImageIdentifier): Promise<Manifest> => {
  const command = new BatchGetImageCommand({ repositoryName: nameOf(repository), imageIds: [imageId] })
  const { images = [], failures = [] } = await ecr.send(command)
  const [image] = images
  if (image?.imageManifest === undefined)
    throw new Error(`expected an image in ${repository}, got ${failures[0]?.failureReason ?? 'none'}`)
  return { text: image.imageManifest, mediaType: image.imageManifestMediaType }
}

const putManifest = async (
  ecr: ECRClient,
  repository: string,
  { text: body, mediaType, tag }: Manifest & { tag: string },
) => {
  const command = new PutImageCommand({
    repositoryName: nameOf(repository),
    imageTag: tag,
    imageManifest: body,
    ...(mediaType === undefined ? {} : { imageManifestMediaType: mediaType }),
  })
  const { image } = await ecr.send(command)
  return `${repository}@${image?.imageId?.imageDigest}`
}

/** Copies one layer through this machine: ECR has no request that copies between repositories. */
const copyLayer = async (ecr: ECRClient, { from, to, digest }: { from: string; to: string; digest: string }) => {
  const source = { repositoryName: nameOf(from), layerDigest: digest }
  const { downloadUrl = '' } = await ecr.send(new GetDownloadUrlForLayerCommand(source))
  const bytes = new Uint8Array(await (await fetch(downloadUrl)).arrayBuffer())
  const repositoryName = nameOf(to)
  const { uploadId } = await ecr.send(new InitiateLayerUploadCommand({ repositoryName }))
  for (let first = 0; first < bytes.length; first += PART_BYTES) {
    const layerPartBlob = bytes.subarray(first, first + PART_BYTES)
    const part = { partFirstByte: first, partLastByte: first + layerPartBlob.length - 1, layerPartBlob }
    await ecr.send(new UploadLayerPartCommand({ repositoryName, uploadId, ...part }))
  }
  await ecr.send(new CompleteLayerUploadCommand({ repositoryName, uploadId, layerDigests: [digest] }))
}

const copyImage = async (ecr: ECRClient, image: string, { to, tag }: { to: string; tag: string }): Promise<string> => {
  const [from = '', imageDigest = ''] = image.split('@')
  const manifest = await readManifest(ecr, from, { imageDigest })
  const { config, layers } = manifestSchema.parse(JSON.parse(manifest.text))
  const digests =
    layers.length === 0
      ? []
      : [...(config === undefined ? [] : [config.digest]), ...layers.map((layer) => layer.digest)]
  for (const digest of new Set(digests)) await copyLayer(ecr, { from, to, digest })
  return putManifest(ecr, to, { ...manifest, tag })
}

/** Lets Docker push to ECR. */
export const logIn = async (ecr: ECRClient, registry: string): Promise<void> => {
  const { authorizationData = [] } = await ecr.send(new GetAuthorizationTokenCommand({}))
  const token = Buffer.from(authorizationData[0]?.authorizationToken ?? '', 'base64').toString()
  // By stdin: what stands in arguments everybody on the machine can read.
  const docker = spawn('docker', ['login', '--username', 'AWS', '--password-stdin', registry], {
    stdio: ['pipe', 'ignore', 'pipe'],
  })
  docker.stdin.end(token.slice(token.indexOf(':') + 1))
  const [said, [code]] = await Promise.all([text(docker.stderr), once(docker, 'exit')])
  if (code !== 0) throw new Error(`docker login failed: ${said}`)
}

const buildImage = async (ecr: ECRClient, { to, tag }: { to: string; tag: string }): Promise<string> => {
  const plain = ['--platform', 'linux/amd64', '--provenance=false', '--sbom=false']
  await run('docker', ['build', ...plain, '-t', `${to}:${tag}`, context])
  await logIn(ecr, to.slice(0, to.indexOf('/')))
  await run('docker', ['push', `${to}:${tag}`])
  const command = new BatchGetImageCommand({ repositoryName: nameOf(to), imageIds: [{ imageTag: tag }] })
  return `${to}@${(await ecr.send(command)).images?.[0]?.imageId?.imageDigest}`
}

export const hasDocker = (): Promise<boolean> =>
  run('docker', ['version']).then(
    () => true,
    () => false,
  )

/** Brings the given image, or one built here, into the deployment's own repository: berths run no other. */
export const pushImage = (
  ecr: ECRClient,
  given: string | null,
  place: { readonly to: string; readonly tag: string },
): Promise<string> => (given === null ? buildImage(ecr, place) : copyImage(ecr, given, place))

/** The same image under another digest: a manifest's digest is that of its very bytes, and a space more changes nothing else. */
export const pushVariant = async (ecr: ECRClient, image: string): Promise<string> => {
  const [repository = '', imageDigest = ''] = image.split('@')
  const manifest = await readManifest(ecr, repository, { imageDigest })
  return putManifest(ecr, repository, { ...manifest, text: `${manifest.text}\n`, tag: 'smoke-2' })
}
