import { BatchGetImageCommand, type ECRClient } from '@aws-sdk/client-ecr'
import { z } from 'zod'

export interface PushedImage {
  readonly digest: string
  readonly configDigest: string | null
  readonly mediaType: string
}

const manifestSchema = z.object({ config: z.object({ digest: z.string() }).optional() })

/** The image that a tag names in ECR; null when there is none. */
export const findPushed = async (
  ecr: ECRClient,
  repositoryName: string,
  imageTag: string,
): Promise<PushedImage | null> => {
  const { images = [] } = await ecr.send(new BatchGetImageCommand({ repositoryName, imageIds: [{ imageTag }] }))
  const [image] = images
  if (image?.imageId?.imageDigest === undefined || image.imageManifest === undefined) return null
  const { config } = manifestSchema.parse(JSON.parse(image.imageManifest))
  return {
    digest: image.imageId.imageDigest,
    configDigest: config?.digest ?? null,
    mediaType: image.imageManifestMediaType ?? '',
  }
}

/** Docker's older image store calls an image by its configuration, the newer one by its manifest. */
export const isSame = ({ digest, configDigest }: PushedImage, localId: string): boolean =>
  localId === digest || localId === configDigest

/** Lambda takes the manifest of one platform, and no index of several. */
export const lambdaTakes = ({ mediaType }: PushedImage): boolean =>
  mediaType === 'application/vnd.docker.distribution.manifest.v2+json' ||
  mediaType === 'application/vnd.oci.image.manifest.v1+json'
