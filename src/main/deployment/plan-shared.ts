import { openCell } from '../../aws/open-cell.ts'
import { createWantedImage } from '../../aws/wanted-image.ts'
import { BerthError } from '../../domain/errors.ts'
import { type Deployment, sharedOf } from './deployment.ts'
import { type FoundationPlan, type FoundationWish, planFoundation } from './plan-foundation.ts'

/**
 * What `berth init --shared` would do: the one function of backend lambda-shared, on the wanted image.
 * @throws {BerthError} config_invalid without a foundation or a wanted image; as planFoundation
 */
export const planShared = async (
  deployment: Deployment,
  { parameters, signal }: Pick<FoundationWish, 'parameters' | 'signal'>,
): Promise<FoundationPlan> => {
  const cell = await openCell({ ...deployment.cell, signal })
  const wanted = await createWantedImage(cell, deployment.clock).read({ signal })
  if (wanted === null)
    throw new BerthError('config_invalid', 'no image is wanted yet, and the shared function needs one', {
      data: { remedy: 'Push the runner image, then berth init --image <repository>@sha256:<digest>.' },
    })
  const { boundaryArn, subnetIds, securityGroupIds } = cell.foundation
  const fixed = {
    ImageUri: wanted.image,
    BoundaryArn: boundaryArn,
    SubnetIds: subnetIds.join(','),
    SecurityGroupIds: securityGroupIds.join(','),
  }
  return planFoundation(sharedOf(deployment), { template: 'shared', fixed, parameters, signal })
}
