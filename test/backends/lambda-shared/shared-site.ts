import { readFile } from 'node:fs/promises'
import { CreateStackCommand, waitUntilStackCreateComplete } from '@aws-sdk/client-cloudformation'
import { createLambdaSharedBackend } from '../../../src/backends/lambda-shared/lambda-shared-backend.ts'
import { sharedNameOf } from '../../../src/backends/lambda-shared/shared-function.ts'
import { createRandomIds } from '../../../src/main/random-ids.ts'
import { createSystemClock } from '../../../src/main/system-clock.ts'
import { openAwsCell } from '../../support/aws-cell.ts'
import { startAwsLocal } from '../../support/aws-local.ts'
import { createEventLog } from '../../support/event-log.ts'

export type SharedSite = Awaited<ReturnType<typeof openSharedSite>>

/** Deploys `templates/shared.yaml` with this image, as an operator does. */
export const deployShared = async (
  { cell, image }: Pick<Awaited<ReturnType<typeof openAwsCell>>, 'cell' | 'image'>,
  options: { tamper?: (template: string) => string; StackName?: string } = {},
): Promise<void> => {
  const { tamper = (text: string) => text, StackName = sharedNameOf(cell.deployment) } = options
  const template = await readFile(new URL('../../../templates/shared.yaml', import.meta.url), 'utf8')
  const values = { Deployment: cell.deployment, ImageUri: image, BoundaryArn: cell.foundation.boundaryArn }
  await cell.clients.cloudFormation.send(
    new CreateStackCommand({
      StackName,
      TemplateBody: tamper(template),
      Parameters: Object.entries(values).map(([ParameterKey, ParameterValue]) => ({ ParameterKey, ParameterValue })),
      Capabilities: ['CAPABILITY_NAMED_IAM'],
    }),
  )
  const waiting = { client: cell.clients.cloudFormation, maxWaitTime: 120, minDelay: 0.05, maxDelay: 0.2 }
  await waitUntilStackCreateComplete(waiting, { StackName })
}

/** The AWS stand-in with the foundation, and the backend; the shared function only when asked for. */
export const openSharedSite = async ({ deploy = true }: { deploy?: boolean } = {}) => {
  await using parts = new AsyncDisposableStack()
  const aws = parts.use(await startAwsLocal())
  const clock = createSystemClock()
  const home = parts.use(await openAwsCell(aws, { clock }))
  if (deploy) await deployShared(home)
  const { cell, image } = home
  const events = createEventLog()
  const owned = parts.move()
  return {
    aws,
    home,
    cell,
    image,
    events,
    clock,
    ids: createRandomIds(clock),
    ...createLambdaSharedBackend({ cell, clock, events }, { maxConcurrency: 2 }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
