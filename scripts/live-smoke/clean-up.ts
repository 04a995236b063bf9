import { isBerthError } from '../../src/domain/errors.ts'
import { openCell } from '../../src/aws/open-cell.ts'
import { createStackBerths } from '../../src/backends/lambda/stack-berths.ts'
import { type Deployment, findStack } from '../../src/main/deployment/deployment.ts'
import { followStack } from '../../src/main/deployment/follow-stack.ts'
import { planRemoval, remove } from '../../src/main/deployment/remove-deployment.ts'

interface Cleaning {
  readonly say: (line: string) => void
  readonly signal: AbortSignal
}

/**
 * Takes away whatever there is of the deployment, from whatever state it is in: berths first, then the foundation. Nothing that
 * does not bear the deployment's name is touched. Can be repeated.
 */
export const cleanUp = async (deployment: Deployment, { say, signal }: Cleaning): Promise<string> => {
  await untilAtRest(deployment, { say, signal })
  const berths = await destroyBerths(deployment, { say, signal })
  const removal = await planRemoval(deployment, signal)
  if (removal === null) return 'there is nothing of it'
  await remove(deployment, removal, { signal, onProgress: say })
  const left = await findStack(deployment, deployment.stackName, signal)
  if (left !== null && left.StackStatus !== 'DELETE_COMPLETE')
    throw new Error(`${left.StackName} is ${left.StackStatus}`)
  return `foundation, bucket and repository${berths === 0 ? '' : `, and ${berths} berths that were left`}`
}

/** A stack that is being made when the pass is cut off has no outputs yet, so its bucket would not be known. */
const untilAtRest = async (deployment: Deployment, { say, signal }: Cleaning): Promise<void> => {
  const stack = await findStack(deployment, deployment.stackName, signal)
  if (stack?.StackId === undefined || stack.StackStatus?.endsWith('_IN_PROGRESS') !== true) return
  if (stack.StackStatus === 'REVIEW_IN_PROGRESS') return
  const followed = { stackId: stack.StackId, after: null, signal, onProgress: say }
  await followStack(deployment, followed).catch((error: unknown) => {
    // That it failed is no news: it is taken away.
    if (!isBerthError(error) || error.code !== 'provisioning_failed') throw error
  })
}

const destroyBerths = async (deployment: Deployment, { say, signal }: Cleaning): Promise<number> => {
  const present = await findStack(deployment, deployment.stackName, signal)
  if (present?.Outputs === undefined || present.Outputs.length === 0) return 0
  const cell = await openCell({ ...deployment.cell, name: 'smoke', signal })
  const berths = createStackBerths({ cell, clock: deployment.clock, wantedImage: { read: async () => null } })
  const going: Promise<unknown>[] = []
  for await (const { berthId } of berths.list({ signal })) {
    say(`destroying berth ${berthId}`)
    going.push(berths.destroy(berthId, { signal }))
  }
  await Promise.all(going)
  return going.length
}
