/**
 * Stands where Docker would: says the id of the one image it holds, and pushes its manifest to the registry. Whoever starts it says by environment
 * what the image is.
 */
import { ECRClient, PutImageCommand } from '@aws-sdk/client-ecr'

const [command = '', ...args] = process.argv.slice(2)
const {
  DOCKER_IMAGE_ID: id = '',
  DOCKER_MANIFEST: imageManifest = '',
  DOCKER_MEDIA_TYPE: imageManifestMediaType,
} = process.env

const push = async (reference: string): Promise<void> => {
  const [, repositoryName = '', imageTag = ''] = /^[^/]+\/(.+):([^:]+)$/.exec(reference) ?? []
  await new ECRClient({}).send(new PutImageCommand({ repositoryName, imageTag, imageManifest, imageManifestMediaType }))
}

if (command === 'image') console.log(id)
if (command === 'push') await push(args.at(-1) ?? '')
if (command === 'login') for await (const _ of process.stdin);
