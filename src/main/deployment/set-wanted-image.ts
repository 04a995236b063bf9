import { readFileSync } from 'node:fs'
import { DescribeImagesCommand, ECRClient } from '@aws-sdk/client-ecr'
import { awsError, awsFailureOf } from '../../aws/aws-errors.ts'
import { openCell } from '../../aws/open-cell.ts'
import { createWantedImage } from '../../aws/wanted-image.ts'
import { BerthError } from '../../domain/errors.ts'
import type { Wanted } from '../../domain/wanted-image.ts'
import { offer } from '../../rollout/wanted-changes.ts'
import type { Deployment } from './deployment.ts'
import { signedWanted } from './signed-wanted.ts'

/** The version of the runner in this package: an image that was built from it has the same. */
export const packagedRunnerVersion = (): number =>
  Number(readFileSync(new URL('../../../runner-image/VERSION', import.meta.url), 'utf8').trim())

const isUnpushed = (error: unknown): boolean =>
  ['ImageNotFoundException', 'RepositoryNotFoundException'].includes(awsFailureOf(error)?.name ?? '')

/** Nobody would be told otherwise until the next user signs up. */
const assertPushed = async (deployment: Deployment, image: string, signal: AbortSignal): Promise<void> => {
  const [, repositoryName = '', imageDigest = ''] = /^[^/]+\/(.+)@(sha256:.+)$/.exec(image) ?? []
  if (await isPushed(deployment, { repositoryName, imageDigest }, signal)) return
  throw new BerthError(
    'config_invalid',
    `--image: expected an image that is in ${repositoryName}, got ${imageDigest}`,
    {
      data: { remedy: 'Push it first; the digest is the one that the push prints.' },
    },
  )
}

const isPushed = async (
  { region }: Deployment,
  { repositoryName, imageDigest }: { repositoryName: string; imageDigest: string },
  abortSignal: AbortSignal,
): Promise<boolean> => {
  const ecr = new ECRClient({ region })
  const command = new DescribeImagesCommand({ repositoryName, imageIds: [{ imageDigest }] })
  try {
    const { imageDetails = [] } = await ecr.send(command, { abortSignal })
    return imageDetails.length > 0
  } catch (error) {
    if (isUnpushed(error)) return false
    throw awsError(error, { cell: region, operation: 'DescribeImages' })
  } finally {
    ecr.destroy()
  }
}

/** The image that new berths get; those that exist keep theirs until a rollout. @throws {BerthError} config_invalid */
export const setWantedImage = async (
  deployment: Deployment,
  { image, version }: { readonly image: string; readonly version: number },
  signal: AbortSignal,
): Promise<{ readonly before: Wanted | null; readonly wanted: Wanted }> => {
  const cell = await openCell({ ...deployment.cell, signal })
  await assertPushed(deployment, image, signal)
  const wantedImage = signedWanted(cell, createWantedImage(cell, deployment.clock))
  const before = await wantedImage.read({ signal })
  const wanted = await wantedImage.change((present) => offer(present, { image, version }), { signal })
  return { before, wanted }
}
